"""Windows of a sample, cut out and pasted in, for code that fills or computes windows and not whole samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .imputer import Fill


def patched(fill: Fill, sample: Tensor, corners: Tensor, size: Sequence[int], draws: Sequence[int]) -> Tensor:
    """What a fill puts into windows, with shape (n, channel, *size).

    A fill that can say so at once has a method `patches(corners, size, draws)`; any other is asked about masks of these windows.

    Arguments:
        sample: With shape (1, channel, *places).
        corners: The first place of every window along each axis of places, with shape (n, axes).
        size: Places of a window along each axis.
        draws: The number of the random draw of every window.

    Example:
        >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> patched(lambda gone, draws: -x, x, torch.tensor([[0, 1], [2, 2]]), (1, 2), [0, 0]).tolist()
        [[[[-1.0, -2.0]]], [[[-10.0, -11.0]]]]
    """
    direct = getattr(fill, "patches", None)
    if direct is not None:
        content: Tensor = direct(corners, size, draws)
        return content
    gone = torch.zeros(len(corners), 1, *sample.shape[2:], dtype=torch.bool, device=sample.device)
    gone = paste(gone, torch.ones(len(corners), 1, *size, dtype=torch.bool, device=sample.device), corners)
    content = fill(gone, draws)
    return cut(content.expand(len(content), *sample.shape[1:]), corners, size)


def cut(x: Tensor, corners: Tensor, size: Sequence[int]) -> Tensor:
    """The windows at some corners: one of each sample, or all of one sample; (n, channel, *size).

    Example:
        >>> cut(torch.arange(5.0).reshape(1, 1, 5), torch.tensor([[0], [3]]), (2,)).tolist()
        [[[0.0, 1.0]], [[3.0, 4.0]]]
    """
    index = window_index(x.shape[2:], corners, size)
    flat = x.flatten(2).expand(len(corners), -1, -1)
    return flat.gather(2, index[:, None].expand(-1, x.shape[1], -1)).reshape(len(corners), x.shape[1], *size)


def paste(x: Tensor, patches: Tensor, corners: Tensor) -> Tensor:
    """x with windows of new content, one window per result: (n, channel, *places), new memory.

    Example:
        >>> paste(torch.zeros(1, 1, 4), torch.ones(1, 1, 2), torch.tensor([[1]]))
        tensor([[[0., 1., 1., 0.]]])
    """
    result = x.expand(len(corners), *x.shape[1:]).clone(memory_format=torch.contiguous_format)
    index = window_index(x.shape[2:], corners, patches.shape[2:])
    result.flatten(2).scatter_(2, index[:, None].expand(-1, x.shape[1], -1), patches.flatten(2).to(x.dtype))
    return result


def window_index(sides: Sequence[int], corners: Tensor, size: Sequence[int]) -> Tensor:
    """The places of windows as numbers into a sample whose places are one axis, with shape (n, places of a window)."""
    within = torch.ones(tuple(size), dtype=torch.bool, device=corners.device).nonzero()
    return place_index(corners, within, sides)


def place_index(corners: Tensor, offsets: Tensor, sides: Sequence[int]) -> Tensor:
    """Places at some offsets from corners as numbers, where all places of a sample are one axis: (corners, offsets)."""
    return flat_index(corners, sides)[:, None] + flat_index(offsets, sides)


def flat_index(at: Tensor, sides: Sequence[int]) -> Tensor:
    """Places as numbers, where all places of a sample are one axis.

    Arguments:
        at: Places along each axis, with shape (..., axes).

    Example:
        >>> flat_index(torch.tensor([[0, 1], [2, 0]]), (4, 5))
        tensor([ 1, 10])
    """
    steps = torch.tensor([prod(sides[axis + 1 :]) for axis in range(len(sides))], device=at.device)
    return (at * steps).sum(-1)


def bounds(gone: Tensor) -> tuple[Tensor, Tensor]:
    """The first place and the last + 1 of every mask along each axis, with shape (n, axes)."""
    first, last = [], []
    for axis in range(1, gone.dim()):
        others = tuple(a for a in range(1, gone.dim()) if a != axis)
        line = (gone.any(others) if others else gone).to(torch.uint8)  # argmax of booleans is not to be had
        first.append(line.argmax(1))
        last.append(line.shape[1] - line.flip(1).argmax(1))
    return torch.stack(first, 1), torch.stack(last, 1)
