"""Gamma: contributions that agree with the unit weigh more."""

from __future__ import annotations

from dataclasses import dataclass

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
            the sum of
            its contributions, which keeps the denominator away from zero.
    """

    kinds = LINEAR
    gamma: float = 0.25
    eps: float = 1e-6
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        signed, b = Signed(op), op.linear.bias
        rectified = rectified and (b is None or self.bias != "ignore")
        z = op.z_where(rectified)[0]
        sums = z if b is None else z - b
        z = sums if self.bias == "ignore" else z
        streams = [self._stream(signed, R if rectified else R * (z > 0), sums, positive=True, sign=int(rectified))]
        against = None if rectified else R * (z < 0)
        if against is not None and bool(against.any()):
            streams.append(self._stream(signed, against, sums, positive=False, sign=0))
        shares = flow(op, streams, eps=self.eps, bias=self.bias, silent=self.silent)
        return shares if rectified else self._settle(op, shares, R * (z == 0))

    def _stream(self, signed: Signed, R: Tensor, sums: Tensor, *, positive: bool, sign: int) -> Stream:
        """Relevance of units of one sign, over all contributions, those of that sign heavier."""
        linear, gamma = signed.op.linear, self.gamma
        agreeing = signed.plus if positive else sums - signed.plus
        z = sums + gamma * agreeing
        up = linear.shaped(lambda w: w + gamma * (w.clamp(min=0) if positive else w.clamp(max=0)))
        down = (
            up if signed.below is None else linear.shaped(lambda w: w + gamma * (w.clamp(max=0) if positive else w.clamp(min=0)))
        )
        b = None if self.bias == "ignore" else linear.bias
        if b is not None:
            b = b + gamma * (b.clamp(min=0) if positive else b.clamp(max=0))
            z = z + b
        return Stream(R, z, b, lambda s: signed.pull(s, up, down), sign)

    def _settle(self, op: LocalOp, shares: Shares, lost: Tensor) -> Shares:
        """Units at exactly zero agree with nothing: their relevance is dropped, or spread."""
        (got,) = shares.inputs
        assert got is not None
        if self.silent == "spread":
            even, lost = op.linear.spread(lost)
            got = got + even
        before = shares.booked.get("dropped", 0.0)
        return Shares([got], {**shares.booked, "dropped": before + op.sums(lost)})
