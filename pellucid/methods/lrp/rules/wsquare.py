"""w-square: shares by squared weights, whatever the input holds."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pellucid.tape import LocalOp
from pellucid.tape.linear import Weights
from ..flow import Stream, flow
from ..rule import LINEAR, Bias, Rule, Shares, Silent


@dataclass(frozen=True)
class WSquare(Rule):
    """LRP-w-square: R_i = sum_j w_ij^2 R_j / (sum_k w_kj^2 + b_j^2).

    References: Montavon et al., 2017, https://doi.org/10.1016/j.patcog.2016.11.008

    Arguments:
        eps: The stabiliser of the denominator.
        bias, silent: As in `Epsilon`.
    """

    kinds = LINEAR
    gated = False
    eps: float = 1e-6
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        linear = op.linear
        squares = Weights(linear.full.square())
        z = linear.forward(linear.raw.new_ones(linear.shape), squares)
        b = None if linear.bias is None or self.bias == "ignore" else linear.bias.square()
        z = z if b is None else z + b
        return flow(
            op, [Stream(R, z, b, lambda s: linear.backward(s, squares))], eps=self.eps, bias=self.bias, silent=self.silent
        )
