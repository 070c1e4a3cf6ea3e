"""Positive and negative contributions of a linear operation, kept apart: what z-plus, alpha-beta and gamma are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from pellucid.tape import LocalOp
from pellucid.tape.linear import Weights, apply_once


@dataclass(frozen=True, eq=False)
class Signed:
    """z = z_plus + z_minus: contributions x_i w_ij above zero, and below.

    For inputs known to be non-negative half of the work falls away.
    """

    op: LocalOp

    @cached_property
    def above(self) -> Tensor:
        """x where positive."""
        return self.op.x if self.op.nonnegative else apply_once(self.op.x, lambda x: x.clamp(min=0))

    @cached_property
    def below(self) -> Tensor | None:
        """x where negative; None if it never is."""
        return None if self.op.nonnegative else apply_once(self.op.x, lambda x: x.clamp(max=0))

    def plus(self) -> Tensor:
        """The sum of the positive contributions, without bias; a tensor of the caller's own."""
        linear = self.op.linear
        z = linear.forward(self.above, linear.positive)
        return z if self.below is None else z.add_(linear.forward(self.below, linear.negative))

    def minus(self) -> Tensor:
        """The sum of the negative contributions, without bias; a tensor of the caller's own."""
        linear = self.op.linear
        z = linear.forward(self.above, linear.negative)
        return z if self.below is None else z.add_(linear.forward(self.below, linear.positive))

    def pull(self, s: Tensor, up: Weights, down: Weights) -> Tensor:
        """What inputs get for s through the weights `up` where x is positive, `down` where it is negative."""
        linear = self.op.linear
        total = linear.backward(s, up).mul_(self.above)
        return total if self.below is None else total.add_(linear.backward(s, down).mul_(self.below))

    def pull_plus(self, s: Tensor) -> Tensor:
        return self.pull(s, self.op.linear.positive, self.op.linear.negative)

    def pull_minus(self, s: Tensor) -> Tensor:
        return self.pull(s, self.op.linear.negative, self.op.linear.positive)

    @property
    def bias_plus(self) -> Tensor | None:
        b = self.op.linear.bias
        return None if b is None else b.clamp(min=0)

    @property
    def bias_minus(self) -> Tensor | None:
        b = self.op.linear.bias
        return None if b is None else b.clamp(max=0)
