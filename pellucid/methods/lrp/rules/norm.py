"""Norm: sums, means and other additions share in proportion to their summands. Normalisation layers: `standardise.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from ..rule import SHARED, Bias, Rule, Shares, Silent, divide

ROUNDING = 4  # units in the last place of what is shared, or added up


@dataclass(frozen=True)
class Norm(Rule):
    """R_i = c_i R / stab(sum_k c_k), where c_i is what summand i adds: a / (a + b) for a residual connection.

    Arguments:
        eps: The stabiliser of the denominator.
        by: Which part of a summand counts: its "value"; its "positive" part; its "magnitude". The last two keep relevance bounded
            where summands cancel.
        relative: Whether eps is in units of the root mean square of the sum.
        bias: For a sum with a constant: "absorb", or anything else to leave the constant out.
        silent: "drop" or "spread" (evenly over the summands) what the stabiliser keeps.
    """

    kinds = SHARED | {"norm", "scale"}
    eps: float = 1e-6
    by: Literal["value", "positive", "magnitude"] = "value"
    relative: bool = False
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.kind == "shift":
            return self._shift(op, R)
        if op.op.kind == "sum":
            return self._sum(op, R, rectified)
        xs, constant = [self._part(x) for x in op.xs], op.constant
        z = op.z if self.by == "value" else _sum_of(op, xs, self._part)
        if self.by == "value" and op.op.kind == "pool":
            z = without_rounding(z, _sum_of(op, [x.abs() for x in xs], torch.abs))
        s = divide(R, z, self._eps(op, z))
        shares = [None if g is None else x * g for x, g in zip(xs, op.pull(s), strict=True)]
        kept = {} if constant is None else {"constant operand": op.sums(s * self._part(constant))}
        if self.silent == "spread":
            left = R - s * z
            rounding = ROUNDING * torch.finfo(R.dtype).eps
            left = left.masked_fill(left.abs() <= rounding * R.abs(), 0)  # or summands that are masked would get some
            count = op.apply(*[torch.ones_like(x) for x in op.xs])
            count = count if constant is None else count - constant
            evenly = op.pull(left / count.clamp(min=torch.finfo(left.dtype).tiny))
            shares = [e if a is None else a if e is None else a + e for a, e in zip(shares, evenly, strict=True)]
        return Shares(shares, kept, rest="stabiliser")

    def _shift(self, op: LocalOp, R: Tensor) -> Shares:
        if self.bias != "absorb":
            return Shares([R.sum_to_size(op.x.shape)])
        x, constant, z = op.x, op.apply(op.x.new_zeros(())), op.z  # its output for zero
        if op.measured or bool(constant.isinf().any()):
            R, constant, z = finite(op, R, constant, z)
            x = x.masked_fill(x.isinf(), 0)
        if self.by == "value":
            s = divide(R, z, self._eps(op, z))
            (got,) = op.pull(s)
            assert got is not None
            return Shares([got * x], {"constant operand": op.sums(s * constant)}, rest="stabiliser")
        part, whole = self._part(z - constant), self._part(constant)
        got = divide(R, part + whole, self._eps(op, z), 1).mul_(part)
        return Shares([got.sum_to_size(x.shape)], rest="constant operand")

    def _sum(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        parts = [self._part(part) for part in summands(op)]
        signed = self.by == "value"
        z, sign = op.z_where(rectified and not self.relative) if signed else (parts[0] + parts[1], 1)
        if op.measured:
            R, z, *parts = finite(op, R, z, *parts)
        z = without_rounding(z, parts[0].abs() + parts[1].abs()) if signed else z
        return share_sum(op, R, parts, z, self._eps(op, z), sign, spread=self.silent == "spread")

    def _part(self, x: Tensor) -> Tensor:
        return x if self.by == "value" else x.clamp(min=0) if self.by == "positive" else x.abs()

    def _eps(self, op: LocalOp, z: Tensor) -> float | Tensor:
        return self.eps * op.rms(z) if self.relative else self.eps


def share_sum(
    op: LocalOp, R: Tensor, parts: list[Tensor], z: Tensor, eps: float | Tensor, sign: int = 0, *, spread: bool = False
) -> Shares:
    """R_i = c_i R / stab(z) for the parts c_i of a sum z; what the stabiliser keeps is spread evenly where asked."""
    s = divide(R, z, eps, sign)
    shares = [part * s for part in parts]
    if spread:
        half = (R - s * z) / 2
        shares = [share + half for share in shares]
    places = [op.tape.values[i].shape for i in op.op.ins]
    sized: list[Tensor | None] = [share.sum_to_size(place) for share, place in zip(shares, places, strict=True)]
    return Shares(sized, rest="stabiliser")


def finite(op: LocalOp, *tensors: Tensor) -> list[Tensor]:
    """Tensors that broadcast to what an operation made, with zeros where that is infinite: masked scores, once a mask of large
    numbers was added twice. No relevance arrives there, and zero times infinity is no number.
    """
    masked = ~op.z.isfinite()
    return [t.masked_fill(masked, 0) for t in tensors] if bool(masked.any()) else list(tensors)


def _sum_of(op: LocalOp, parts: list[Tensor], part: Callable[[Tensor], Tensor]) -> Tensor:
    """What an operation that adds up makes of parts of its summands, the constant one included."""
    constant, z = op.constant, op.apply(*parts)
    return z if constant is None else z - constant + part(constant)


def without_rounding(z: Tensor, sizes: Tensor) -> Tensor:
    """A sum, and zero where it is what rounding leaves of summands that cancel: neither its size nor its sign means anything.

    Arguments:
        sizes: The sum of the sizes of the summands.

    Example:
        >>> without_rounding(torch.tensor([1.0, 1e-8]), torch.tensor([3.0, 0.2]))
        tensor([1., 0.])
    """
    return z.masked_fill(z.abs() <= ROUNDING * torch.finfo(z.dtype).eps * sizes, 0)


def summands(op: LocalOp) -> list[Tensor]:
    """What the two operands of a sum or difference add to it."""
    a, b = op.xs
    alpha = op.op.kwargs.get("alpha", 1)
    if op.op.name == "sub":
        alpha = -alpha
    if op.op.name == "rsub":
        return [-alpha * a, b]
    return [a, b if alpha == 1 else alpha * b]
