"""Activation chains: `x * sigmoid(x)` and its kin, written by hand, are one activation of x."""

from __future__ import annotations

from dataclasses import replace

from .. import kinds
from ..local import trains
from ..op import Op, Tape


def chain(tape: Tape) -> Tape:
    """The same tape with every product or sum of two element-wise functions of one value as one activation of it.

    For x * tanh(softplus(x)), x * relu6(x + 3) / 6, 0.5 * x * (1 + erf(x / sqrt(2))): y_i depends on x_i alone, so all relevance
    of y_i is x_i's. x is the nearest value that both are functions of: what was done before it keeps rules of its own.
    """
    origins: dict[int, tuple[int, ...]] = {}  # value -> it, and what it is an element-wise function of, the nearest first
    ops = []
    for op in tape.ops:
        if op.ins and _elementwise(tape, op):
            lines = [origins.get(i, (i,)) for i in op.ins]
            shared = next((value for value in lines[0] if all(value in line for line in lines[1:])), None)
            if shared is not None and tape.values[shared].shape == tape.values[op.out].shape:
                line = lines[0]
                origins[op.out] = (op.out, *line[line.index(shared) :])
                if len(op.ins) > 1:
                    op = replace(op, kind="activation", ins=(shared,))
        ops.append(op)
    return tape.rewritten(tuple(ops))


def _elementwise(tape: Tape, op: Op) -> bool:
    if op.name in kinds.BATCH_NORMS:
        return not trains(op)
    return op.kind in ("activation", "scale", "shift") or (
        op.kind in ("sum", "product") and op.name in kinds.SUMS | kinds.PRODUCTS and op.name != "glu"
    )
