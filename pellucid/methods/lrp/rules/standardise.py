"""Standardise: layer, group, instance and root-mean-square norms as linear maps, with their spread held constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pellucid.tape import LocalOp, kinds
from pellucid.tape.local import batch_norm, trains
from ..rule import Bias, Rule, Shares, divide


@dataclass(frozen=True)
class Standardise(Rule):
    """R_i = x_i (c_i s_i - mean_j c_j s_j), s = R / stab(y), for a norm y = c (x - mean(x)) + b.

    The spread, in c, is held constant: a divisor is no evidence. The mean is, as x - mean(x) is linear. A norm that
    subtracts no mean (root mean square) hands on all but the share of b.

    References: Achtibat et al., 2024, AttnLRP, Proposition 3.4, https://proceedings.mlr.press/v235/achtibat24a.html;
        Ali et al., 2022, XAI for Transformers, https://proceedings.mlr.press/v162/ali22a.html

    Arguments:
        eps: The stabiliser.
        bias: What becomes of the share of b: "absorb", "ignore" (b does not count), or "share" (to the inputs that got relevance
            of its sign, in proportion to it).
    """

    kinds = frozenset({"norm"})
    eps: float = 1e-9
    bias: Bias = "absorb"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        read = _READ.get(op.op.name)
        if read is None or len(op.op.ins) != 1:
            return Shares([R, *[None] * (len(op.op.ins) - 1)])
        norm = read(op)
        z = op.z if norm.bias is None or self.bias != "ignore" else op.z - norm.bias
        s = divide(R, z, self.eps)
        own = None if norm.bias is None or self.bias == "ignore" else op.sums(s * norm.bias)
        got = norm.pull(s).mul_(op.x)
        if own is None:
            return Shares([got], rest="stabiliser")
        if self.bias == "absorb":
            return Shares([got], {"bias": own}, rest="stabiliser")
        got, stuck = op.redistribute(own, got)
        return Shares([got], {"bias": stuck}, rest="stabiliser")


@dataclass(frozen=True, eq=False)
class _Norm:
    """y = scale (x - mean over `axes`) + bias, seen in the shape `rows`.

    Arguments:
        weight: gamma, in a shape that broadcasts against y.
        spread: One over the standard deviation, in a shape that broadcasts against the rows.
        axes: What the mean is taken over, in the rows; empty: no mean is subtracted.
        bias: In a shape that broadcasts against y.
    """

    weight: Tensor | None
    spread: Tensor
    axes: tuple[int, ...]
    bias: Tensor | None
    rows: tuple[int, ...]

    def pull(self, s: Tensor) -> Tensor:
        c = s if self.weight is None else s * self.weight
        c = c.reshape(self.rows)
        c = c * self.spread
        if self.axes:
            c = c.sub_(c.mean(self.axes, keepdim=True))
        return c.reshape(s.shape)


def _layer(op: LocalOp) -> _Norm:
    x, shape, weight, bias, _ = op.op.args
    rows = op.tape.values[x.id].shape
    axes = tuple(range(len(rows) - len(shape), len(rows)))
    return _Norm(_constant(op, weight), _spread(op, axes), axes, _constant(op, bias), rows)


def _spread(op: LocalOp, axes: tuple[int, ...]) -> Tensor:
    """One over the standard deviation: that which the norm made, or computed once more for one that was written out."""
    if len(op.op.outs) > 1:
        return _made(op, 2)
    return (op.x.var(axes, unbiased=False, keepdim=True) + float(op.op.args[4])).rsqrt()


def _root_mean_square(op: LocalOp) -> _Norm:
    x, _, weight, *_ = op.op.args
    return _Norm(_constant(op, weight), _made(op, 1), (), None, op.tape.values[x.id].shape)


def _group(op: LocalOp) -> _Norm:
    x, weight, bias, batch, channels, positions, groups, _ = op.op.args
    shape = op.tape.values[x.id].shape
    each = (1, channels, *[1] * (len(shape) - 2))
    weight, bias = (None if t is None else t.reshape(each) for t in (_constant(op, weight), _constant(op, bias)))
    rows = (batch, groups, channels // groups * positions)
    return _Norm(weight, _made(op, 2).reshape(batch, groups, 1), (2,), bias, rows)


def _batch(op: LocalOp) -> _Norm:
    shape = op.tape.values[op.op.ins[0]].shape
    each = (1, shape[1], *[1] * (len(shape) - 2))
    if not trains(op.op):
        scale, shift = batch_norm(op.tape, op.op)
        return _Norm(None, scale.reshape(each), (), shift.reshape(each), shape)
    weight, bias = (None if t is None else t.reshape(each) for t in (_constant(op, t) for t in op.op.args[1:3]))
    axes = tuple(d for d in range(len(shape)) if d != 1)  # the statistics of the input itself: an instance norm
    return _Norm(weight, _made(op, 2).reshape(each), axes, bias, shape)


def _constant(op: LocalOp, ref: object) -> Tensor | None:
    return None if ref is None else op.tape.value(getattr(ref, "id"))  # noqa: B009


def _made(op: LocalOp, place: int) -> Tensor:
    """A statistic that the operation made beside its output."""
    out = op.op.outs[place]
    statistic = op.op.aux[place] if out is None else op.tape.value(out)
    assert statistic is not None
    return statistic


_READ: dict[str, Callable[[LocalOp], _Norm]] = {
    "native_layer_norm": _layer,
    "native_group_norm": _group,
    "_fused_rms_norm": _root_mean_square,
    **{name: _batch for name in kinds.BATCH_NORMS},
}
