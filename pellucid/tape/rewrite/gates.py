"""Gates: of a product signal x gate, the signal gets all the relevance and the gate none."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from .. import kinds
from ..op import Op, Tape
from .attention import Keys


def gate(tape: Tape) -> Tape:
    """The same tape with every product that has a gate marked as one: `signal` says which operand carries the relevance.

    Gates are bounded weights (sigmoid, softmax), statistics of a whole map (variance, norm), denominators, and factors that are
    broadcast. Where the signal is a constant that was computed, as what a recurrent cell holds before its first step, the product
    is a constant to whatever adds it: the gate gets no relevance.

    References: Arras et al., 2017, Explaining recurrent neural network predictions in sentiment analysis (signal takes all),
        https://doi.org/10.18653/v1/W17-5221
    """
    weights: set[int] = set()
    still: set[int] = set()  # constants that a gate lets through
    ops = []
    keys = Keys(tape)
    for op in tape.ops:
        if _opens(op, weights, mixes=keys.mixes_heads(op)):
            weights.update(o for o in op.outs if o is not None)
        if _still(tape, op, weights):
            still.update(o for o in op.outs if o is not None)
        if op.name in kinds.SUMS and op.kind == "sum" and len(moving := [i for i in op.ins if i not in still]) == 1:
            op = replace(op, kind="shift", ins=tuple(moving))
        if op.kind == "product":
            signal = _signal(tape, op, weights)
            if signal is not None:
                op = replace(op, kind="gate", signal=signal)
        ops.append(op)
    return tape.rewritten(tuple(ops))


def _opens(op: Op, weights: set[int], *, mixes: bool) -> bool:
    """Whether `op` makes a gate, or hands one on; `mixes`: it mixes the heads of an attention."""
    if op.name in kinds.SIGMOIDS or op.name in ("var", "std", "linalg_vector_norm", "norm"):
        return True
    passes = op.kind in ("route", "scale", "shift", "activation", "pool", "product", "sum", "gate") or mixes
    return passes and bool(op.ins) and all(i in weights for i in op.ins)


def _still(tape: Tape, op: Op, weights: set[int]) -> bool:
    """Whether a gate is applied to a constant that no parameter holds."""
    if op.kind != "scale" or op.name != "mul" or op.ins[0] not in weights:
        return False
    values = [tape.values[ref.id] for ref in op.refs() if ref.id != op.ins[0]]
    return any(not value.is_parameter and len(value.shape) > 1 for value in values)


def _signal(tape: Tape, op: Op, weights: set[int]) -> int | None:
    """The place of the operand that carries the signal; None when neither is a gate."""
    if op.name == "glu":
        return 0
    if len(op.ins) != 2:
        return None
    a, b = op.ins
    if op.name == "div":
        return 0
    if (a in weights) != (b in weights):
        return 1 if a in weights else 0
    if op.name == "mul":
        small = [prod(tape.values[i].shape) < prod(tape.values[op.out].shape) for i in op.ins]
        if small[0] != small[1]:
            return 1 if small[0] else 0
    return None
