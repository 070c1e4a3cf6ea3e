"""Convolutions and pools."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operation import Node, operation


@operation("BatchNormalization")
def batch_norm(node: Node, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return torch.nn.functional.batch_norm(x, mean, variance, scale, shift, eps=node.get("epsilon", 1e-5))
