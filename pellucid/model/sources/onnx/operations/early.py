"""Operations that the standard had at first and took out again: old converters wrote them, and onnxruntime still runs them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation
from .activations import SCALED


@operation("Affine", "ScaledTanh")
def scaled(node: Node, x: Tensor) -> Tensor:
    """alpha x + beta, or alpha tanh(beta x)"""
    function, *defaults = SCALED[node.kind.lower()]
    y: Tensor = function(x, *(node.get(name, one) for name, one in zip(("alpha", "beta"), defaults, strict=True)))
    return y


@operation("ParametricSoftplus")
def scaled_softplus(node: Node, x: Tensor) -> Tensor:
    """alpha log(1 + exp(beta x))"""
    return F.softplus(x.mul(node.get("beta", 1.0))).mul(node.get("alpha", 1.0))


@operation("Scale")
def scale(node: Node, x: Tensor) -> Tensor:
    return x.mul(node.get("scale", 1.0))


@operation("ImageScaler")
def image_scaler(node: Node, x: Tensor) -> Tensor:
    """scale x + an offset for each channel, with which converted networks take raw pixels"""
    offsets = x.new_tensor(node.get("bias", [0.0] * x.shape[1])).view(-1, 1, 1)
    return x.mul(node.get("scale", 1.0)).add(offsets)


@operation("Crop")
def crop(node: Node, x: Tensor) -> Tensor:
    """Without a margin (left, top, right, bottom), or a part of a given size (height, width) that starts after it."""
    left, top, right, bottom = node.get("border")
    height, width = node.get("scale") or (x.shape[2] - top - bottom, x.shape[3] - left - right)
    return x[:, :, top : top + height, left : left + width]
