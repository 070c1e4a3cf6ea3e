"""Gamma: contributions that agree with the unit weigh more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from ..flow import Stream, flow
from ..rule import LINEAR, Bias, Rule, Shares, Silent
from .norm import finite, share_sum, summands
from .signed import Signed


@dataclass(frozen=True)
class Gamma(Rule):
    """LRP-gamma: R_i = sum_j x_i (w_ij + gamma w_ij+) R_j / sum_k x_k (w_kj + gamma w_kj+), for x >= 0 and z_j > 0.

    Generalised to mixed signs: contributions of the sign of z_j weigh 1 + gamma. gamma = 0 is epsilon, gamma -> infinity is
    z-plus where z > 0. Relevance of units with z = 0 is dropped (or spread). On a sum of two, as in a residual connection, the
    contributions are the summands.

    References: Montavon et al., 2019, Layer-wise relevance propagation: an overview, https://doi.org/10.1007/978-3-030-28954-6_10;
        Andeol et al., 2021, Learning domain invariant representations by joint Wasserstein distance minimization
        (mixed signs), https://doi.org/10.48550/arXiv.2106.04923

    Arguments:
        gamma: How much more agreeing contributions weigh.
        eps: The stabiliser of the denominators.
        bias, silent: As in `Epsilon`. The bias weighs like any contribution; when it is ignored, the sign of a unit is that of
            the sum of its contributions, which keeps the denominator away from zero.
    """

    kinds = LINEAR | {"sum"}
    gamma: float = 0.25
    eps: float = 1e-6
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.kind == "sum":
            return self._sum(op, R)
        b = op.linear.bias
        rectified = rectified and (b is None or self.bias != "ignore")
        z = op.z_where(rectified)[0]
        z = z if b is None or self.bias != "ignore" else z - b
        if not op.nonnegative:
            return self._mixed(op, R, z)
        shares = flow(op, self._streams(op, R, z, rectified), eps=self.eps, bias=self.bias, silent=self.silent)
        return shares if rectified else self._add_silent(op, shares, R * (z == 0))

    def _sum(self, op: LocalOp, R: Tensor) -> Shares:
        side = torch.ones_like(op.z).copysign(op.z)
        parts = [part + self.gamma * side * (part * side).clamp(min=0) for part in summands(op)]
        z = parts[0] + parts[1]
        if op.measured:
            R, z, *parts = finite(op, R, z, *parts)
        return share_sum(op, R, parts, z, self.eps, spread=self.silent != "drop")

    def _streams(self, op: LocalOp, R: Tensor, z: Tensor, rectified: bool) -> Iterator[Stream]:
        """Units above zero, over z + gamma z_plus; and units below, over z + gamma z_minus = (1 + gamma) z - gamma z_plus.

        For inputs that are never negative, one transpose serves each side.
        """
        signed = Signed(op)
        b = None if self.bias == "ignore" else op.linear.bias
        plus = signed.plus() if b is None else signed.plus().add_(b.clamp(min=0))
        if rectified:
            yield self._stream(signed, R, plus.mul_(self.gamma).add_(z), b, 1, sign=1)
            return
        yield self._stream(signed, R * (z > 0), torch.add(z, plus, alpha=self.gamma), b, 1)
        against = R * (z < 0)
        if bool(against.any()):
            yield self._stream(signed, against, plus.mul_(-self.gamma).add_(z, alpha=1 + self.gamma), b, -1)

    def _stream(self, signed: Signed, R: Tensor, z: Tensor, b: Tensor | None, side: int, sign: int = 0) -> Stream:
        """Relevance of the units of one side, over all contributions, those of that side heavier."""

        def heavier(t: Tensor, side: int) -> Tensor:
            return t + self.gamma * (t.clamp(min=0) if side > 0 else t.clamp(max=0))

        up = signed.op.linear.shaped(lambda w: heavier(w, side))
        return Stream(R, z, None if b is None else heavier(b, side), lambda s: signed.pull(s, up, up), sign, part=not sign)

    def _mixed(self, op: LocalOp, R: Tensor, z: Tensor) -> Shares:
        """Inputs of both signs: with |W| |x|, the sum of all sizes, at hand, what agrees with a unit needs no sum of its own.

        Contributions of the sign of z_j add up to (z_j + sign(z_j) sum_k |x_k w_kj|) / 2, so that for both sides at once

            R_i = (1 + gamma / 2) x_i sum_j w_ij s_j + (gamma / 2) |x_i| sum_j |w_ij| sign(z_j) s_j
        """
        linear, x, half, side = op.linear, op.x, self.gamma / 2, z.sign()
        b = None if self.bias == "ignore" else linear.bias
        sizes = linear.forward(x.abs(), linear.absolute)
        sizes = sizes if b is None else sizes.add_(b.abs())
        whole = sizes.mul_(side).mul_(half).add_(z, alpha=1 + half)
        lost = R * (z == 0)
        silent = bool(lost.any())

        def back(s: Tensor) -> Tensor:
            agreeing = linear.backward(s * side, linear.absolute).mul_(x.abs())
            return linear.pull(s).mul_(x).mul_(1 + half).add_(agreeing, alpha=half)

        weighed = None if b is None else (1 + half) * b + half * side * b.abs()
        stream = Stream(R - lost if silent else R, whole, weighed, back, part=silent)
        shares = flow(op, [stream], eps=self.eps, bias=self.bias, silent=self.silent)
        return self._add_silent(op, shares, lost) if silent else shares

    def _add_silent(self, op: LocalOp, shares: Shares, lost: Tensor) -> Shares:
        """Units at exactly zero agree with nothing: their relevance is dropped, spread, or shared."""
        (got,) = shares.inputs
        assert got is not None
        left = op.sums(lost)
        if self.silent == "spread":
            even, stuck = op.linear.spread(lost)
            got, left = got + even, op.sums(stuck)
        elif self.silent == "share":
            got, left = op.redistribute(left, got)
        return Shares([got], {**shares.booked, "dropped": shares.booked.get("dropped", 0.0) + left})
