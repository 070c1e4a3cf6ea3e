"""The rule for softmax: its Taylor expansion at the input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from ..rule import Bias, Rule, Shares, divide


@dataclass(frozen=True)
class Softmax(Rule):
    """R_i = x_i (R'_i - p_i sum_j R'_j), for p = softmax(x) and R' at p: its Taylor expansion at x itself.

    The expansion has a constant term, which keeps the rest: a softmax does not conserve. It is booked as bias. Scores that are
    masked out (minus infinity) get nothing. For the logarithm of a softmax, p_i in the sum is that of its derivative.

    References: Achtibat et al., 2024, AttnLRP, Proposition 3.1, https://proceedings.mlr.press/v235/achtibat24a.html

    Arguments:
        eps: The stabiliser, for the logarithm.
        bias: What becomes of the constant term: "absorb", or "share" (to the scores that got relevance of its sign,
            in proportion to it).
    """

    kinds = frozenset({"softmax"})
    eps: float = 1e-9
    bias: Bias = "absorb"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        x, p, axis = op.x, op.z, op.op.args[1]
        if op.measured:  # rows that are masked out altogether are no numbers, which the network replaces
            p = p.nan_to_num(0.0)
        if op.op.name == "_log_softmax":
            R, p = divide(R, p, self.eps), p.exp()
        got = torch.addcmul(R, p, R.sum(axis, keepdim=True), value=-1)
        got = got.mul_(x.clamp(min=torch.finfo(x.dtype).min))  # where masked, got is zero, and zero times infinity is no number
        if self.bias == "share":
            assert op.total is not None
            got, stuck = op.redistribute((op.total - op.sums(got)).to(got.dtype), got)
            return Shares([got], {"bias": stuck}, rest="stabiliser")
        return Shares([got], rest="bias")
