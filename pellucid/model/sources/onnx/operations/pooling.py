"""Pools: the largest, the mean or the norm of each window, and the way back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, integers, operation
from .windows import Windows, pad, windows

LARGEST: dict[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
MEAN: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
SPREAD: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
LARGEST_OF_ALL: dict[int, Callable[..., Tensor]] = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
BACK: dict[int, Callable[..., Tensor]] = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}


@operation("MaxPool")
def max_pool(node: Node, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    """The largest number of each window and, where it is read, its position in the input."""
    over = windows(node, x.shape[2:], node.get("kernel_shape"))
    numbers = x if x.is_floating_point() else x.float()  # of 8 bits: floats hold them all
    inside = over.symmetric and all(2 * margin <= size for margin, size in zip(over.begin, over.sizes, strict=True))
    margin, ceil = (over.begin, over.rounded_up) if inside else ((0,) * over.rank, False)
    if not inside:
        numbers = pad(numbers, over.begin, [sum(pair) for pair in zip(over.end, over.extra, strict=True)], -math.inf)
    pooled = LARGEST[over.rank](numbers, over.sizes, over.strides, margin, over.dilations, ceil, node.outputs > 1)
    values, indices = pooled if node.outputs > 1 else (pooled, None)
    values = values.to(x.dtype)
    if indices is None:
        return values  # type: ignore[no-any-return]
    at = _unravel(indices, numbers.shape[2:])
    at = at if inside else [place - begin for place, begin in zip(at, over.begin, strict=True)]
    return values, _positions(at, x.shape, columns_first=bool(node.get("storage_order", 0)))


@operation("NhwcMaxPool", domain="com.microsoft")
def max_pool_channels_last(node: Node, x: Tensor) -> Tensor:
    pooled: Tensor = max_pool(node, x.movedim(-1, 1))
    return pooled.movedim(1, -1)


def _unravel(indices: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Positions along each axis, from places in rows one after the other."""
    found: list[Tensor] = []
    for length in reversed(lengths):
        found.insert(0, indices % length)
        indices = indices // length
    return found


def _positions(at: Sequence[Tensor], shape: Sequence[int], *, columns_first: bool) -> Tensor:
    """Places in the whole input, its last axis running fastest, or the first of the spatial axes."""
    lengths = list(shape[2:])
    order = range(len(lengths)) if not columns_first else reversed(range(len(lengths)))
    place = torch.zeros_like(at[0])
    for axis in order:
        place = place * lengths[axis] + at[axis]
    plane = torch.arange(shape[0] * shape[1], device=place.device).view(shape[0], shape[1], *(1,) * len(lengths))
    return place + plane * math.prod(lengths)


@operation("AveragePool")
def average_pool(node: Node, x: Tensor) -> Tensor:
    """The mean of each window, over the entries in the input or, where asked, over those of its margins too."""
    over = windows(node, x.shape[2:], node.get("kernel_shape"))
    margins_count = bool(node.get("count_include_pad", 0))
    inside = over.symmetric and all(2 * margin <= size for margin, size in zip(over.begin, over.sizes, strict=True))
    if inside and set(over.dilations) == {1}:
        return MEAN[over.rank](x, over.sizes, over.strides, over.begin, over.rounded_up, margins_count)
    ones = x.new_ones(1, 1, *x.shape[2:])
    counted = _sums(pad(ones, over.begin, over.end, 1.0), over, laid=True) if margins_count else _sums(ones, over)
    return _sums(x, over) / counted


def _sums(x: Tensor, over: Windows, *, laid: bool = False) -> Tensor:
    """The sum of each window.

    Arguments:
        laid: The margins are laid on already.
    """
    begin, end = ((0,) * over.rank,) * 2 if laid else (over.begin, over.end)
    x = pad(x, begin, [sum(pair) for pair in zip(end, over.extra, strict=True)])
    if set(over.dilations) == {1}:
        return MEAN[over.rank](x, over.sizes, over.strides) * math.prod(over.sizes)
    ones = x.new_ones(x.shape[1], 1, *over.sizes)
    return SPREAD[over.rank](x, ones, None, over.strides, 0, over.dilations, x.shape[1])


@operation("LpPool")
def lp_pool(node: Node, x: Tensor) -> Tensor:
    """(sum of |x|^p)^(1/p) of each window."""
    over = windows(node, x.shape[2:], node.get("kernel_shape"))
    p = node.get("p", 2)
    return _root(_sums(x.abs().pow(p), over), p)


def _root(sums: Tensor, p: float) -> Tensor:
    """sums^(1/p), whose slope at 0, where nothing could change it but itself, is 0 in place of infinity."""
    empty = sums == 0
    return sums.masked_fill(empty, 1.0).pow(1 / p).masked_fill(empty, 0.0)


@operation("GlobalAveragePool")
def global_average_pool(node: Node, x: Tensor) -> Tensor:
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


@operation("GlobalMaxPool")
def global_max_pool(node: Node, x: Tensor) -> Tensor:
    rank = x.dim() - 2
    if rank in LARGEST_OF_ALL:
        return LARGEST_OF_ALL[rank](x, 1)
    return x.amax(tuple(range(2, x.dim())), keepdim=True)


@operation("GlobalLpPool")
def global_lp_pool(node: Node, x: Tensor) -> Tensor:
    p = node.get("p", 2)
    return _root(x.abs().pow(p).sum(tuple(range(2, x.dim())), keepdim=True), p)


@operation("MaxUnpool")
def max_unpool(node: Node, x: Tensor, indices: Tensor, shape: Tensor | None = None) -> Tensor:
    """Each number back at its position in a tensor of zeros, as large as what was pooled, grown at the end to the shape given."""
    sizes = node.get("kernel_shape")
    strides, pads = node.get("strides", (1,) * len(sizes)), node.get("pads", (0,) * 2 * len(sizes))
    lengths = [
        (n - 1) * stride + size - sum(pads[axis :: len(sizes)])
        for axis, (n, stride, size) in enumerate(zip(x.shape[2:], strides, sizes, strict=True))
    ]
    inner = indices % math.prod(lengths)
    y = BACK[len(sizes)](x, inner, sizes, strides, 0, lengths)
    grown = integers(shape)[2:] or lengths
    return pad(y, [0] * len(lengths), [new - old for new, old in zip(grown, lengths, strict=True)])
