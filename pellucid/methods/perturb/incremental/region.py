"""Regions that an operation has to read to compute a box; its kernel, stride, padding and dilation along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pellucid.tape import Op
from .box import Box, MapLayout
from .operand import Fetch, Operand, Patch
from .span import Cut, Taps
from .step import Draft


def region(value: int, box: Box, cuts: Sequence[Cut], fill: float = 0.0) -> Operand:
    """The cuts of a changed value; the box itself where they are just that."""
    if all(cut.is_exactly(span) for cut, span in zip(cuts, box.spans, strict=True)):
        return Patch(value)
    return Fetch.of(value, box.layout, box, cuts, fill)


def region_and_box(draft: Draft, op: Op, box: Box, taps: Sequence[Taps | None], fill: float = 0.0) -> tuple[Operand, Box]:
    """What an operation has to be given, and the box of what it makes.

    Arguments:
        taps: For every axis of the value: what outputs read along it; None where the operation itself takes care of the axis.
        fill: What lies beyond the edges.
    """
    spans, cuts = [], []
    for axis, span in zip(box.layout.axes, box.spans, strict=True):
        tap = taps[axis]
        spans.append(span if tap is None else tap.reached(span))
        cuts.append(span.cut() if tap is None else tap.read(spans[-1]))
    return region(op.ins[0], box, cuts, fill), draft.box(op.out, box, spans)


def in_last_axes(layout: MapLayout, d: int) -> bool:
    """Whether the axes of the picture are among the last d."""
    return all(axis >= len(layout.shape) - d for axis in layout.axes)


@dataclass(frozen=True)
class Settings:
    """Of a sliding kernel, per axis."""

    kernel: list[int]
    stride: list[int]
    padding: list[int]
    dilation: list[int]

    @classmethod
    def of(cls, d: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Settings:
        """From PyTorch's arguments for d axes, with its defaults where they are missing."""
        values = (kernel, stride or kernel, padding or 0, dilation or 1)
        return cls(*(per_axis(value, d) for value in values))

    def taps(self, axis: int, size: int, low: int = 0) -> Taps:
        """What outputs read along an axis; `low`: padding before the operation's own."""
        return Taps(self.kernel[axis], self.stride[axis], self.dilation[axis], self.padding[axis] + low, size)

    def remaining(self, taps: Sequence[Taps | None]) -> Settings:
        """What is left for the operation to do once regions have been cut out along some axes."""
        stride = [s if tap is None else tap.remaining_stride for s, tap in zip(self.stride, taps, strict=True)]
        padding = [p if tap is None else 0 for p, tap in zip(self.padding, taps, strict=True)]
        return replace(self, stride=stride, padding=padding)


def per_axis(value: Any, d: int) -> list[int]:
    """One setting for each of d axes."""
    values = [value] if isinstance(value, int) else list(value)
    return values * d if len(values) == 1 else values


def sides(pads: Sequence[int], n: int) -> tuple[list[int], list[int]]:
    """Padding before and after each of n axes, from PyTorch's order (the last axis first).

    Example:
        >>> sides([1, 2, 3, 4], 3)
        ([0, 3, 1], [0, 4, 2])
    """
    full = [*pads, *[0] * (2 * n - len(pads))]
    return full[::2][::-1], full[1::2][::-1]
