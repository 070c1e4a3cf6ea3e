"""Attention on a tape: a product of matrices one of whose factors comes out of a softmax, whatever the modules are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from .. import kinds
from ..axes.layout import Axis, AxisFactor, Layout, output_layout
from ..op import Op, Tape

# What may stand between the softmax and the product: entries are moved, dropped and rescaled; other heads may be mixed in.
BETWEEN = ("route", "scale", "shift", "gate", "softmax", "sum", "product")
LINEAR = ("dense", "convolution")
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
    keys = Keys(tape)
    ends = {op.index for op in (tape.ops if between is None else between)}
    found = []
    for op in tape.ops:
        mixes = keys.mixes_heads(op)
        if op.name in kinds.SOFTMAXES and op.name != "_log_softmax":
            weights[op.out] = op
        elif op.name in MATRICES and len(op.ins) == 2 and (op.ins[0] in weights) != (op.ins[1] in weights):
            factor = 0 if op.ins[0] in weights else 1
            softmax = weights[op.ins[factor]]
            shape = tape.values[softmax.out].shape
            if op.index in ends:
                found.append(Attention(softmax, op, factor, shape[-2] if len(shape) > 1 else 1, shape[-1]))
        elif op.ins and all(i in weights for i in op.ins) and (op.kind in BETWEEN or mixes):
            weights.update({o: weights[op.ins[0]] for o in op.outs if o is not None})
    return tuple(found)


class Keys:
    """Where the keys of attention lie in everything that is made of its weights.

    A linear map of weights makes weights again if it leaves the keys apart, as one over heads does (talking heads), whether it is
    written as a dense layer, a product of matrices from either side, a convolution, or as products and their sum. A linear map
    over the keys adds up what they weigh: it makes no weights.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._layouts: dict[int, Layout] = {}
        self._axis: dict[int, int] = {}  # value -> the number that the axis of its keys had when they came out of the softmax

    def mixes_heads(self, op: Op) -> bool:
        """Whether an operation makes weights of weights by a linear map that leaves keys apart.

        To be asked of every operation, in the order in which they ran.
        """
        if op.name in kinds.SOFTMAXES:
            self._begin(op)
            return False
        linear = op.kind in (*LINEAR, "pool") and len(op.ins) == 1
        if not op.ins or op.ins[0] not in self._layouts:
            return linear and op.kind != "pool" and self._keeps_shape(op)
        kept = self._follow(op)
        return linear and kept

    def _begin(self, op: Op) -> None:
        shape = self.tape.values[op.out].shape
        self._layouts[op.out] = tuple((AxisFactor(d, n),) for d, n in enumerate(shape))
        self._axis[op.out] = op.args[1] % len(shape) if shape else 0

    def _follow(self, op: Op) -> bool:
        """Whether the keys are all there, each on its own, in what an operation makes; that is known from then on."""
        source, kept = op.ins[0], False
        for out in op.outs:
            layout = None if out is None else output_layout(self.tape, op, self.tape.values[out], self._layouts)
            if layout is not None and out is not None and self._keys(source, layout) == self._keys(source) > 1:
                self._layouts[out], self._axis[out], kept = layout, self._axis[source], True
        return kept

    def _keys(self, source: int, layout: Layout | None = None) -> int:
        """How many keys a layout tells apart."""
        axes = self._layouts[source] if layout is None else layout
        return prod(factor.length for axis in axes for factor in _all(axis) if factor.what == self._axis[source])

    def _keeps_shape(self, op: Op) -> bool:
        """Whether an operation makes of maps, one per head, as many others, where nothing is known of their axes."""
        shape = self.tape.values[op.out].shape
        return len(shape) >= 4 and shape == self.tape.values[op.ins[0]].shape


def _all(axis: Axis) -> Axis:
    return tuple(inner for factor in axis for inner in (factor.inside or (factor,)))


def open_attention(tape: Tape) -> Tape:
    """The same tape with attention as a product of two signals: its weights carry relevance too, not its values alone."""
    gates = {op.index for op in tape.ops if op.kind == "gate" and op.name in MATRICES}
    return tape.rewritten(tuple(replace(op, kind="product", signal=None) if op.index in gates else op for op in tape.ops))
