"""Windows that slide over an input: their sizes, steps and margins, as convolutions and pools share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ..operation import Node


@dataclass(frozen=True)
class Windows:
    """Where windows lie over an input, one number per spatial axis.

    Arguments:
        sizes: Of a window, in entries that it reads.
        begin, end: Margins before and after the input.
        extra: What the last window reaches beyond the margin, where lengths are rounded up.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    extra: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def spans(self) -> tuple[int, ...]:
        return spans(self.sizes, self.dilations)

    @property
    def symmetric(self) -> bool:
        return self.begin == self.end

    @property
    def rounded_up(self) -> bool:
        return any(self.extra)


def spans(sizes: Sequence[int], dilations: Sequence[int]) -> tuple[int, ...]:
    """How far windows reach, gaps included."""
    return tuple((size - 1) * gap + 1 for size, gap in zip(sizes, dilations, strict=True))


def windows(node: Node, lengths: Sequence[int], sizes: Sequence[int]) -> Windows:
    """The windows that a node lays over an input with these spatial lengths."""
    ones = (1,) * len(sizes)
    strides, dilations = tuple(node.get("strides", ones)), tuple(node.get("dilations", ones))
    reach = spans(sizes, dilations)
    begin, end = margins(node, lengths, reach, strides)
    extra = tuple(map(_beyond, lengths, begin, end, reach, strides)) if node.get("ceil_mode", 0) else (0,) * len(sizes)
    return Windows(tuple(sizes), strides, dilations, begin, end, extra)


def margins(node: Node, lengths: Sequence[int], reach: Sequence[int], strides: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Margins before and after each axis: given, none, or what makes the output as long as the input by the stride."""
    rule = node.get("auto_pad", "NOTSET")
    if rule in ("NOTSET", ""):
        pads = tuple(node.get("pads", (0,) * 2 * len(reach)))
        return pads[: len(reach)], pads[len(reach) :]
    if rule == "VALID":
        return (0,) * len(reach), (0,) * len(reach)
    totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(lengths, reach, strides, strict=True)]
    less, more = tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)
    return (less, more) if rule == "SAME_UPPER" else (more, less)


def _beyond(length: int, begin: int, end: int, reach: int, stride: int) -> int:
    """What one more window reaches beyond the margin, 0 where it would start there or where none is cut off."""
    room = length + begin + end - reach
    steps = -(-room // stride)
    steps -= steps * stride >= length + begin
    return max(steps * stride - room, 0)


def pad(x: Tensor, begin: Sequence[int], end: Sequence[int], value: float = 0.0) -> Tensor:
    """Margins around the last axes; negative ones crop."""
    pairs = [size for pair in zip(reversed(begin), reversed(end), strict=True) for size in pair]
    return F.pad(x, pairs, value=value) if any(pairs) else x
