"""Attention on a tape: a product of matrices one of whose factors comes out of a softmax, whatever the modules are called."""

from __future__ import annotations

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
        place: Which factor of the product the weights are.
        queries, keys: How many of them there are.
    """

    softmax: Op
    mix: Op
    place: int
    queries: int
    keys: int


def attentions(tape: Tape) -> tuple[Attention, ...]:
    """Every attention of a pass, in the order in which they ran."""
    weights: dict[int, Op] = {}
    found = []
    for op in tape.ops:
        if op.name in kinds.SOFTMAXES and op.name != "_log_softmax":
            weights[op.out] = op
        elif op.name in MATRICES and len(op.ins) == 2 and (op.ins[0] in weights) != (op.ins[1] in weights):
            place = 0 if op.ins[0] in weights else 1
            made = weights[op.ins[place]]
            shape = tape.values[made.out].shape
            found.append(Attention(made, op, place, shape[-2] if len(shape) > 1 else 1, shape[-1]))
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
    return tape.rewritten(
        tuple(replace(op, kind="product", signal=None) if op.kind == "gate" and op.name in MATRICES else op for op in tape.ops)
    )
