"""z-plus: only positive contributions count."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pellucid.tape import LocalOp
from ..flow import Stream, flow
from ..rule import LINEAR, SHARED, Bias, Rule, Shares, Silent
from .norm import Norm
from .signed import Signed


@dataclass(frozen=True)
class ZPlus(Rule):
    """LRP-z-plus: R_i = sum_j (x_i w_ij)+ R_j / (sum_k (x_k w_kj)+ + b_j+).

    The paper assumes x >= 0; contributions are split by the sign of x_i w_ij, which agrees with it there.
    On a sum or a pooling, the positive summands count.

    References: Montavon et al., 2017, Explaining nonlinear classification decisions with deep Taylor decomposition,
        https://doi.org/10.1016/j.patcog.2016.11.008

    Arguments:
        eps: The stabiliser of the denominator.
        bias: What becomes of the bias, as in `Epsilon`.
        silent: What becomes of the relevance of units without positive contributions, as in `Epsilon`.
    """

    kinds = LINEAR | SHARED
    eps: float = 1e-6
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.kind not in LINEAR:
            return Norm(self.eps, by="positive", bias=self.bias, silent=self.silent).share(op, R, rectified)
        signed = Signed(op)
        b = None if self.bias == "ignore" else signed.bias_plus
        z = signed.plus() if b is None else signed.plus().add_(b)
        return flow(op, [Stream(R, z, b, signed.pull_plus, 1)], eps=self.eps, bias=self.bias, silent=self.silent)
