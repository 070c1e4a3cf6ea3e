"""Epsilon: every contribution counts with its sign; a stabiliser absorbs what is noise."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pellucid.tape import LocalOp
from ..flow import Stream, flow
from ..rule import LINEAR, SHARED, Bias, Rule, Shares, Silent
from .norm import Norm


@dataclass(frozen=True)
class Epsilon(Rule):
    """LRP-epsilon: R_i = sum_j x_i w_ij R_j / (z_j + eps sign(z_j)), with z = W x + b and sign(0) = 1.

    On a sum or a pooling the contributions are the summands; other operations do not take this rule.

    References: Bach et al., 2015, Eq. 58, https://doi.org/10.1371/journal.pone.0130140

    Arguments:
        eps: The stabiliser. Zero is allowed (LRP-0): units with z = 0 then pass nothing on.
        relative: Whether eps is in units of the root mean square of z, per sample.
        bias: "absorb": b counts in z and keeps its share. "ignore": b does not count. "spread": b counts, and its share is
            spread evenly over the unit's inputs. "share": b counts, and the shares of all biases of the layer go to those of its
            inputs that got relevance of the same sign, in proportion to it.
        silent: "drop", "spread" or "share": what becomes of the relevance that the stabiliser keeps, all of it where z = 0.
        joint: Whether linear operations that are only added to one another, W x + U h + b, count as one. The sum, which has to
            share in proportion to its summands, then stabilises for all, and its parts do not once more.
    """

    kinds = LINEAR | SHARED | {"norm", "transform"}
    eps: float = 1e-6
    relative: bool = False
    bias: Bias = "absorb"
    silent: Silent = "drop"
    joint: bool = False

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.kind == "transform":
            return self._transform(op, R)
        if op.op.kind not in LINEAR:
            return Norm(self.eps, relative=self.relative, bias=self.bias, silent=self.silent).share(op, R, rectified)
        linear, x = op.linear, op.x
        z, sign = op.z_where(rectified and not self.relative and self.bias != "ignore")
        b = linear.bias
        if self.bias == "ignore" and b is not None:
            z, b = z - b, None
        eps = 0.0 if self.joint and op.op.part else self.eps * op.rms(z) if self.relative else self.eps
        return flow(op, [Stream(R, z, b, lambda s: linear.pull(s).mul_(x), sign)], eps=eps, bias=self.bias, silent=self.silent)

    def _transform(self, op: LocalOp, R: Tensor) -> Shares:
        """A Fourier transform has no bias, and its weights are never made: "spread" is as "share"."""
        eps = self.eps * op.rms(op.z) if self.relative else self.eps
        silent: Silent = "share" if self.silent == "spread" else self.silent

        def back(s: Tensor) -> Tensor:
            (got,) = op.pull(s)
            assert got is not None
            return got * op.x

        return flow(op, [Stream(R, op.z, None, back)], eps=eps, bias=self.bias, silent=silent)
