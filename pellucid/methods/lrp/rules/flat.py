"""Flat: every input of a unit gets the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.tape import LocalOp
from ..rule import LINEAR, Rule, Shares, divide


@dataclass(frozen=True)
class Flat(Rule):
    """LRP-flat: R_i = sum_j R_j / n_j, with n_j the number of inputs unit j reads. Zero padding counts as in the layer's own
    pass: it is no input.

    On a pooling, too, every position of the window gets the same.

    References: Bach et al., 2016, Controlling explanatory heatmap resolution and semantics via decomposition depth,
        https://doi.org/10.1109/ICIP.2016.7532763

    Arguments:
        eps: The stabiliser of the denominator.
    """

    kinds = LINEAR | {"pool"}
    gated = False
    eps: float = 1e-6

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        if op.op.kind not in LINEAR:
            n = op.apply(*[torch.ones_like(x) for x in op.xs])
            n = n if op.constant is None else n - op.constant
            return Shares(op.pull(divide(R, n, self.eps)), rest="stabiliser")
        linear = op.linear
        ones = torch.ones_like(linear.raw)
        n = linear.apply(linear.raw.new_ones(linear.shape), ones)
        return Shares([linear.transpose(divide(R, n, self.eps), ones)], rest="stabiliser")
