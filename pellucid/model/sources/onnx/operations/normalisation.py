"""Normalisations: by statistics of the training data, of a layer, of channels, of neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation

Outputs = tuple[Tensor, ...]


@operation("BatchNormalization")
def batch_norm(
    node: Node, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor
) -> Tensor | tuple[Tensor, ...]:
    """By the statistics of the file or, where it says that it trains, by those of the batch."""
    eps = node.get("epsilon", 1e-5)
    if not _trains(node):
        return _by_given(x, scale, shift, mean, variance, eps)
    axes = tuple(axis for axis in range(x.dim()) if axis != 1)
    own_mean, own_variance = x.float().mean(axes), x.float().var(axes, correction=0)
    y = _by_given(x, scale, shift, own_mean.to(mean.dtype), own_variance.to(variance.dtype), eps)
    keep = node.get("momentum", 0.9)
    running = (mean * keep + own_mean * (1 - keep), variance * keep + own_variance * (1 - keep))
    return (y, *(one.to(mean.dtype) for one in running))[: node.outputs]


def _trains(node: Node) -> bool:
    """Whether the statistics are those of the batch: said since version 14; before, where new ones are outputs as well."""
    if node.opset >= 14:
        return bool(node.get("training_mode", 0))
    return node.outputs > 1 and not node.get("is_test", 0)


def _by_given(x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """By statistics per channel, or per entry (`spatial=0` before version 9)."""
    if mean.dim() == 1:
        y = F.batch_norm(x, mean.to(scale.dtype), variance.to(scale.dtype), scale, shift, eps=eps)
        return y.to(x.dtype)
    return (x - mean) / (variance + eps).sqrt() * scale + shift


@operation("InstanceNormalization")
def instance_norm(node: Node, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=shift, eps=node.get("epsilon", 1e-5))


@operation("LayerNormalization")
def layer_norm(node: Node, x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor | Outputs:
    """Over all axes from `axis` on; with the mean and 1 / deviation where they are read."""
    eps, axis = node.get("epsilon", 1e-5), node.get("axis", -1) % x.dim()
    shape = x.shape[axis:]
    y = F.layer_norm(x, shape, _spread(scale, shape), None if shift is None else _spread(shift, shape), eps)
    if node.outputs == 1:
        return y
    wide, axes = _wide(x), tuple(range(axis, x.dim()))
    inverse = (wide.var(axes, correction=0, keepdim=True) + eps).rsqrt()
    return (y, wide.mean(axes, keepdim=True), inverse)[: node.outputs]


def _spread(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """One weight per normalised entry, where fewer are given."""
    return weight if weight.shape == shape else weight.reshape(weight.shape[-len(shape) :]).expand(shape)


def _wide(x: Tensor) -> Tensor:
    """Numbers of 16 bits in 32, in which statistics are taken."""
    return x if x.dtype == torch.float64 else x.float()


@operation("RMSNormalization")
def rms_norm(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + epsilon) over all axes from `axis` on, times the scale."""
    shape = x.shape[node.get("axis", -1) % x.dim() :]
    wide = _wide(x) if node.get("stash_type", 1) == 1 else x
    fits = scale.numel() == shape.numel()
    y = F.rms_norm(wide, shape, scale.reshape(shape).to(wide.dtype) if fits else None, node.get("epsilon", 1e-5)).to(scale.dtype)
    return y if fits else y * scale


@operation("GroupNormalization")
def group_norm(node: Node, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Over groups of channels, with a scale and a shift per channel, before version 21 per group."""
    groups = node.get("num_groups")
    if node.opset < 21:
        scale, shift = (one.repeat_interleave(x.shape[1] // groups) for one in (scale, shift))
    return F.group_norm(x, groups, scale, shift, node.get("epsilon", 1e-5))


@operation("LRN")
def local_response_norm(node: Node, x: Tensor) -> Tensor:
    """x / (bias + alpha / size sum of x^2 over neighbouring channels)^beta."""
    size = node.get("size")
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    squares = F.pad(x.square().flatten(2).unsqueeze(1), (0, 0, before, after))
    mean: Tensor = F.avg_pool2d(squares, (size, 1), 1).squeeze(1).view(x.shape)
    scale: Tensor = mean * node.get("alpha", 1e-4) + node.get("bias", 1.0)
    return x / scale.pow(node.get("beta", 0.75))


@operation("LpNormalization")
def lp_norm(node: Node, x: Tensor) -> Tensor:
    """x / (sum of |x|^p)^(1/p) along one axis; where that is 0 all of x is, and stays so."""
    norm = torch.linalg.vector_norm(x, node.get("p", 2), node.get("axis", -1), keepdim=True)
    return x / torch.where(norm == 0, 1, norm)


@operation("MeanVarianceNormalization")
def mean_variance_norm(node: Node, x: Tensor) -> Tensor:
    """(x - mean) / deviation over the axes given, else over all but the channels."""
    axes = node.get("axes", [0, 2, 3])
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-9)
