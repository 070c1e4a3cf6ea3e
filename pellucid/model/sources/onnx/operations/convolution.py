"""Convolutions, transposed and deformable ones among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation
from .windows import Windows, pad, windows

PLAIN: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operation("Conv")
def convolution(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """In one, two or three dimensions; margins that differ from side to side are laid on before."""
    over = windows(node, x.shape[2:], weight.shape[2:])
    x, margin = (x, over.begin) if over.symmetric else (pad(x, over.begin, over.end), (0,) * over.rank)
    return PLAIN[over.rank](x, weight, bias, over.strides, margin, over.dilations, node.get("group", 1))


@operation("ConvTranspose")
def transposed_convolution(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The derivative of a convolution with respect to its input, as a layer."""
    over = windows(node, x.shape[2:], weight.shape[2:])
    longer = tuple(node.get("output_padding", (0,) * over.rank))
    begin, end = _crops(node, x.shape[2:], over, longer)
    how = {"stride": over.strides, "dilation": over.dilations, "groups": node.get("group", 1)}
    fits = all(extra < max(pair) for extra, *pair in zip(longer, over.strides, over.dilations, strict=True))
    if begin == end and min(begin) >= 0 and fits:
        return TRANSPOSED[over.rank](x, weight, bias, padding=begin, output_padding=longer, **how)
    after = [extra - cut for extra, cut in zip(longer, end, strict=True)]
    y = pad(TRANSPOSED[over.rank](x, weight, **how), [-cut for cut in begin], after)
    return y if bias is None else y + bias.view(-1, *(1,) * over.rank)


def _crops(node: Node, lengths: Sequence[int], over: Windows, longer: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """What is cut off at both ends: as given, or so that the output has the shape asked for."""
    rule = node.get("auto_pad", "NOTSET")
    shape = node.get("output_shape")
    if shape is None and rule not in ("SAME_UPPER", "SAME_LOWER"):
        return over.begin, over.end
    asked = shape[-over.rank :] if shape else [n * s for n, s in zip(lengths, over.strides, strict=True)]
    whole = [(n - 1) * s + r + more for n, s, r, more in zip(lengths, over.strides, over.spans, longer, strict=True)]
    totals = [max(size - wish, 0) for size, wish in zip(whole, asked, strict=True)]
    short = [max(wish - size, 0) for size, wish in zip(whole, asked, strict=True)]
    less = tuple(total // 2 for total in totals)
    more = tuple(total - part for total, part in zip(totals, less, strict=True))
    begin, end = (less, more) if rule == "SAME_UPPER" else (more, less)
    return begin, tuple(cut - missing for cut, missing in zip(end, short, strict=True))


@operation("DeformConv")
def deformable_convolution(
    node: Node, x: Tensor, weight: Tensor, offset: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """A convolution whose window reads beside its places, by offsets with shape (batch, groups x places x 2, height, width)."""
    over = windows(node, x.shape[2:], weight.shape[2:])
    batch, channels = x.shape[:2]
    groups, places, (rows, columns) = node.get("offset_group", 1), weight.shape[2:].numel(), offset.shape[2:]
    moves = offset.reshape(batch * groups, places, 2, rows, columns)
    grid = _grid(over, x, moves).flatten(1, 2)
    read = F.grid_sample(x.reshape(batch * groups, -1, *x.shape[2:]), grid, align_corners=True)
    read = read.view(batch, groups, channels // groups, places, rows, columns)
    read = read if mask is None else read * mask.reshape(batch, groups, 1, places, rows, columns)
    parts = node.get("group", 1)
    read = read.reshape(batch, parts, -1, rows * columns)
    y = (weight.reshape(parts, -1, read.shape[2]) @ read).view(batch, -1, rows, columns)
    return y if bias is None else y + bias.view(-1, 1, 1)


def _grid(over: Windows, x: Tensor, moves: Tensor) -> Tensor:
    """Where each place of each window reads, in [-1, 1] from the centre of the first pixel to that of the last, x before y."""
    axes = []
    for axis, (length, count) in enumerate(zip(x.shape[2:], moves.shape[-2:], strict=True)):
        start = torch.arange(count, device=x.device) * over.strides[axis] - over.begin[axis]
        place = torch.arange(over.sizes[axis], device=x.device) * over.dilations[axis]
        shape = (over.sizes[0], 1, count, 1) if axis == 0 else (1, over.sizes[1], 1, count)
        at = (start + place[:, None]).view(shape).expand(*over.sizes, *moves.shape[-2:]).flatten(0, 1)
        axes.append(2 * (at + moves[:, :, axis]) / max(length - 1, 1) - 1)
    return torch.stack(axes[::-1], -1)
