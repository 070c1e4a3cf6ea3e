"""Attention on a tape: a product of matrices one of whose factors comes out of a softmax, whatever the modules are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .. import kinds
from ..op import Op, Tape

# What may stand between the softmax and the product: entries are moved, dropped and rescaled; other heads may be mixed in.
BETWEEN = ("route", "scale", "shift", "gate", "softmax", "sum", "product")
MATRICES = frozenset({"bmm", "mm", "baddbmm", "addmm", "mv"})


@dataclass(frozen=True, eq=False)
class Attention:
    """One attention: weights times values.

    Arguments:
        softmax: The operation that makes the weights.
        mix: The product that weighs the values.
        factor: Which factor of the product the weights are, 0 or 1.
        queries, keys: How many of them there are.
    """

    softmax: Op
    mix: Op
    factor: int
    queries: int
    keys: int

    @property
    def weights(self) -> int:
        """The value that the softmax made, with shape (..., query, key)."""
        return self.softmax.out


def attentions(tape: Tape, between: Sequence[Op] | None = None) -> tuple[Attention, ...]:
    """Every attention of a pass, in the order in which they ran; only those that end in one of some operations, where given."""
    weights: dict[int, Op] = {}
    ends = {op.index for op in (tape.ops if between is None else between)}
    found = []
    for op in tape.ops:
        if op.name in kinds.SOFTMAXES and op.name != "_log_softmax":
            weights[op.out] = op
        elif op.name in MATRICES and len(op.ins) == 2 and (op.ins[0] in weights) != (op.ins[1] in weights):
            factor = 0 if op.ins[0] in weights else 1
            softmax = weights[op.ins[factor]]
            shape = tape.values[softmax.out].shape
            if op.index in ends:
                found.append(Attention(softmax, op, factor, shape[-2] if len(shape) > 1 else 1, shape[-1]))
        elif op.ins and all(i in weights for i in op.ins) and (op.kind in BETWEEN or mixes_heads(tape, op)):
            weights.update({o: weights[op.ins[0]] for o in op.outs if o is not None})
    return tuple(found)


def mixes_heads(tape: Tape, op: Op) -> bool:
    """Whether a linear operation makes of maps of weights, one per head, as many others (talking heads)."""
    return (
        op.kind in ("dense", "convolution")
        and len(op.ins) == 1
        and len(shape := tape.values[op.out].shape) >= 4
        and shape == tape.values[op.ins[0]].shape
    )


def open_attention(tape: Tape) -> Tape:
    """The same tape with attention as a product of two signals: its weights carry relevance too, not its values alone."""
    gates = {op.index for op in tape.ops if op.kind == "gate" and op.name in MATRICES}
    return tape.rewritten(tuple(replace(op, kind="product", signal=None) if op.index in gates else op for op in tape.ops))
