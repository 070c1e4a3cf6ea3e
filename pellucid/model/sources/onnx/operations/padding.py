"""Margins around a tensor, of any rank, and cuts from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, axes_of, integers, operation

Pairs = list[tuple[int, int]]
NATIVE = {"reflect": "reflect", "edge": "replicate"}  # what torch calls them


@operation("Pad")
@operation("Pad", domain="com.microsoft")
def pad(node: Node, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    """A constant, the mirrored or last entries, or those of the other end, around each axis; negative margins cut."""
    sizes = integers(pads) if pads is not None else node.get("pads", node.get("paddings"))
    pairs: Pairs = [(0, 0)] * x.dim()
    listed = axes_of(node, axes) or range(x.dim())
    for at, axis in enumerate(listed):
        pairs[axis] = (sizes[at], sizes[at + len(listed)])
    mode = node.get("mode", "constant")
    if mode == "constant":
        return margins(x, pairs, node.get("value", 0.0) if value is None else value.item())
    x = margins(x, [(min(begin, 0), min(end, 0)) for begin, end in pairs])
    return _of_itself(x, [(max(begin, 0), max(end, 0)) for begin, end in pairs], mode)


def margins(x: Tensor, pairs: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """A constant before and after each axis; negative sizes cut."""
    flat = [size for pair in reversed(pairs) for size in pair]
    while flat and not any(flat[-2:]):  # axes that stay as they are need not be named
        flat = flat[:-2]
    return F.pad(x, flat, value=value) if flat else x


def _of_itself(x: Tensor, pairs: Pairs, mode: str) -> Tensor:
    """Margins made of entries of the tensor."""
    spatial = pairs[2:]
    fits = all(max(pair) < length for pair, length in zip(spatial, x.shape[2:], strict=True))
    if mode in NATIVE and 0 < len(spatial) <= 3 and not any(map(any, pairs[:2])) and x.is_floating_point() and fits:
        return F.pad(x, [size for pair in reversed(spatial) for size in pair], NATIVE[mode])
    for axis, (begin, end) in enumerate(pairs):
        if begin or end:
            at = torch.arange(-begin, x.shape[axis] + end, device=x.device)
            x = x.index_select(axis, ENTRIES[mode](at, x.shape[axis]))
    return x


def _mirrored(at: Tensor, length: int) -> Tensor:
    period = max(2 * (length - 1), 1)
    at = at % period
    return torch.minimum(at, period - at) if length > 1 else torch.zeros_like(at)


ENTRIES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "reflect": _mirrored,
    "edge": lambda at, length: at.clamp(0, length - 1),
    "wrap": lambda at, length: at % length,
}


@operation("CenterCropPad")
def center_crop_pad(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """To the lengths given, cut or filled with zeros on both sides; the odd one at the end."""
    pairs: Pairs = [(0, 0)] * x.dim()
    axes = node.get("axes")
    for axis, size in zip(range(x.dim()) if axes is None else axes, integers(shape), strict=True):
        more = abs(size - x.shape[axis])
        sign = 1 if size > x.shape[axis] else -1
        pairs[axis] = (sign * (more // 2), sign * (more - more // 2))
    return margins(x, pairs)
