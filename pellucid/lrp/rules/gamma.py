"""Gamma: contributions that agree with the unit weigh more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...tape import LocalOp
from ..flow import Stream, flow
from ..rule import LINEAR, Bias, Rule, Shares, Silent
from .signed import Signed


@dataclass(frozen=True)
class Gamma(Rule):
    """LRP-gamma: R_i = sum_j x_i (w_ij + gamma w_ij+) R_j / sum_k x_k (w_kj + gamma w_kj+), for x >= 0 and z_j > 0.

    Generalised to mixed signs: contributions of the sign of z_j weigh 1 + gamma. gamma = 0 is epsilon, gamma -> infinity is
        z-plus
    where z > 0. Relevance of units with z = 0 is dropped (or spread).

    References: Montavon et al., 2019, Layer-wise relevance propagation: an overview, https://doi.org/10.1007/978-3-030-28954-6_10;
        Andeol et al., 2021, Learning domain invariant representations by joint Wasserstein distance minimization
        (mixed signs), https://doi.org/10.48550/arXiv.2106.04923

    Arguments:
        gamma: How much more agreeing contributions weigh.
        eps: The stabiliser of the denominators.
        bias, silent: As in `Epsilon`. The bias weighs like any contribution; when it is ignored, the sign of a unit is that of
            the sum of its contributions, which keeps the denominator away from zero.
    """

    kinds = LINEAR
    gamma: float = 0.25
    eps: float = 1e-6
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        b = op.linear.bias
        rectified = rectified and (b is None or self.bias != "ignore")
        z = op.z_where(rectified)[0]
        z = z if b is None or self.bias != "ignore" else z - b
        shares = flow(op, self._streams(op, R, z, rectified), eps=self.eps, bias=self.bias, silent=self.silent)
        return shares if rectified else self._settle(op, shares, R * (z == 0))

    def _streams(self, op: LocalOp, R: Tensor, z: Tensor, rectified: bool) -> Iterator[Stream]:
        """Units above zero, over z + gamma z_plus; and units below, over z + gamma z_minus = (1 + gamma) z - gamma z_plus."""
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

        linear = signed.op.linear
        up = linear.shaped(lambda w: heavier(w, side))
        down = up if signed.below is None else linear.shaped(lambda w: heavier(w, -side))
        return Stream(R, z, None if b is None else heavier(b, side), lambda s: signed.pull(s, up, down), sign, part=not sign)

    def _settle(self, op: LocalOp, shares: Shares, lost: Tensor) -> Shares:
        """Units at exactly zero agree with nothing: their relevance is dropped, spread, or shared."""
        (got,) = shares.inputs
        assert got is not None
        left = op.sums(lost)
        if self.silent == "spread":
            even, stuck = op.linear.spread(lost)
            got, left = got + even, op.sums(stuck)
        elif self.silent == "share":
            got, left = op.hand_out(left, got)
        return Shares([got], {**shares.booked, "dropped": shares.booked.get("dropped", 0.0) + left})
