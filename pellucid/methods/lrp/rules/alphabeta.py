"""Alpha-beta: positive and negative contributions, each with a weight of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from pellucid.tape import LocalOp
from ..flow import Stream, flow
from ..rule import LINEAR, Bias, Rule, Shares, Silent
from .signed import Signed


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """LRP-alpha-beta: R_i = sum_j (alpha (x_i w_ij)+ / z_j+ - beta (x_i w_ij)- / z_j-) R_j, biases split by sign likewise.

    References: Bach et al., 2015, Eq. 60, https://doi.org/10.1371/journal.pone.0130140

    Arguments:
        alpha, beta: Weights, not negative, with alpha - beta = 1.
        eps: The stabiliser of both denominators.
        bias, silent: As in `Epsilon`.

    Raises:
        ValueError: alpha - beta is not 1.
    """

    kinds = LINEAR
    alpha: float = 2.0
    beta: float = 1.0
    eps: float = 1e-6
    bias: Bias = "absorb"
    silent: Silent = "drop"

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.beta < 0 or abs(self.alpha - self.beta - 1) > 1e-9:
            raise ValueError(f"alpha-beta: found alpha {self.alpha}, beta {self.beta}; both must be >= 0, and alpha - beta = 1")

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        return flow(op, self._streams(op, R, rectified), eps=self.eps, bias=self.bias, silent=self.silent)

    def _streams(self, op: LocalOp, R: Tensor, rectified: bool) -> Iterator[Stream]:
        signed = Signed(op)
        keep = self.bias != "ignore"
        above, below = (signed.bias_plus, signed.bias_minus) if keep else (None, None)
        minus = signed.minus() if below is None else signed.minus().add_(below)
        if self.beta:
            yield Stream(R, minus, below, signed.pull_minus, -1, -self.beta)
        if rectified and (keep or op.linear.bias is None):
            # Where z > 0, z - z_minus adds two numbers of one sign: nothing cancels, and a convolution is saved.
            plus = minus.neg_().add_(op.z_where(rectified)[0]).clamp_(min=0)
        else:
            plus = signed.plus() if above is None else signed.plus().add_(above)
        yield Stream(R, plus, above, signed.pull_plus, 1, self.alpha)
