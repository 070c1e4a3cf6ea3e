"""Boxes: which part of a value changes with the window; how a map is laid out as rows; where windows may lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.tape import Op, Tape
from pellucid.tape.batch import Batch, follow
from .span import Span


@dataclass(frozen=True)
class MapLayout:
    """How a value is laid out: which of its axes run along the picture, and which holds the samples.

    As rows it has the samples first, then the axes of the picture, then all else (the channels) as one axis.

    Arguments:
        shape: The shape of one sample, the axis of samples included.
        samples: The axis of samples.
        axes: The axes of the picture, in the order of the window's.

    Example:
        >>> layout = MapLayout((1, 3, 8, 6), samples=0, axes=(2, 3))
        >>> layout.rows(torch.zeros(5, 3, 4, 4)).shape, layout.value(torch.zeros(5, 4, 4, 3)).shape
        (torch.Size([5, 4, 4, 3]), torch.Size([5, 3, 4, 4]))
    """

    shape: tuple[int, ...]
    samples: int
    axes: tuple[int, ...]

    @cached_property
    def others(self) -> tuple[int, ...]:
        """The axes that are neither."""
        return tuple(a for a in range(len(self.shape)) if a != self.samples and a not in self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The lengths of the axes of the picture."""
        return tuple(self.shape[a] for a in self.axes)

    @property
    def channels(self) -> int:
        """How many entries one place has."""
        return prod(self.shape[a] for a in self.others)

    def rows(self, value: Tensor) -> Tensor:
        """(n, *places, channels) from a value of this form, with any number of samples and any stretch of the picture."""
        permuted = value.permute(self.samples, *self.axes, *self.others)
        return permuted.reshape(*permuted.shape[: 1 + len(self.axes)], -1)

    def value(self, rows: Tensor) -> Tensor:
        """The value that these rows hold; channels last in memory."""
        order = (self.samples, *self.axes, *self.others)
        permuted = rows.reshape(*rows.shape[:-1], *(self.shape[a] for a in self.others))
        return permuted.permute([order.index(a) for a in range(len(order))])

    def bordered(self, value: Tensor, fill: float) -> Tensor:
        """All rows of one sample in one list, with a border of `fill` past the end of every axis of the picture.

        Whatever reaches over an edge reads there, so that no map needs padding of its own.
        """
        rows = self.rows(value)[0]
        whole = rows.new_empty((*(size + 1 for size in self.sizes), rows.shape[-1]))
        whole[tuple(slice(size) for size in self.sizes)] = rows
        for axis, size in enumerate(self.sizes):
            whole.select(axis, size).fill_(fill)
        return whole.reshape(-1, rows.shape[-1])


@dataclass(frozen=True, eq=False)
class Box:
    """The part of a value that changes: one span along each axis of the picture."""

    layout: MapLayout
    spans: tuple[Span, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(span.length for span in self.spans)

    @property
    def share(self) -> float:
        """Which part of the value lies in it."""
        return prod(self.lengths) / prod(self.layout.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample's box."""
        shape = list(self.layout.shape)
        for axis, span in zip(self.layout.axes, self.spans, strict=True):
            shape[axis] = span.length
        return tuple(shape)


def union(boxes: Sequence[Box]) -> tuple[Span, ...]:
    """The smallest spans that cover all boxes."""
    spans = boxes[0].spans
    for box in boxes[1:]:
        spans = tuple(a.union(b) for a, b in zip(spans, box.spans, strict=True))
    return spans


def layout_of(tape: Tape, value: int, axes: tuple[int, ...]) -> MapLayout | None:
    """The form of a value on the tape; None where its samples are not alone on an axis."""
    shape, batch = tape.values[value].shape, tape.values[value].batch
    if batch is None or batch.every != 1 or shape[batch.axis] != tape.samples or batch.axis in axes:
        return None
    return MapLayout(tuple(1 if a == batch.axis else length for a, length in enumerate(shape)), batch.axis, axes)


def layout_after(tape: Tape, op: Op, source: MapLayout, out: int) -> MapLayout | None:
    """The form of what `op` made of a value of form `source`, if it leaves every axis of the picture whole.

    Axes of the picture are followed as the tape follows the axis of samples.
    """
    before = tuple(tape.samples if a == source.samples else length for a, length in enumerate(source.shape))
    after = tape.values[out].shape
    axes = []
    for axis in source.axes:
        there = follow(op.name, op.args, before, Batch(axis), after, before[axis])
        if there is None or there.every != 1 or after[there.axis] != before[axis]:
            return None
        axes.append(there.axis)
    return layout_of(tape, out, tuple(axes)) if len(set(axes)) == len(axes) else None


@dataclass(frozen=True, eq=False)
class WindowPositions:
    """The windows that a plan is made for.

    Arguments:
        size: The length of a window along each axis of the picture.
        picture: The lengths of the picture.
        places: Along each axis, in order: where windows may begin.
        numbers: Along each axis: the number of the place that begins there, or -1.
    """

    size: tuple[int, ...]
    picture: tuple[int, ...]
    places: tuple[Tensor, ...]
    numbers: tuple[Tensor, ...]

    @classmethod
    def of(cls, size: tuple[int, ...], picture: tuple[int, ...], corners: Tensor | None, device: torch.device) -> WindowPositions:
        """Those with these corners; None: all that lie inside the picture.

        Raises:
            InputError: a window reaches out of the picture.
        """
        if len(size) != len(picture) or not all(0 < s <= p for s, p in zip(size, picture, strict=False)):
            raise InputError(
                f"Windows of {by(size)}", f"a picture of {by(picture)}", "windows lie inside the picture", "Make them smaller."
            )
        last = [p - s for s, p in zip(size, picture, strict=True)]
        if corners is None:
            places = [torch.arange(n + 1) for n in last]
        else:
            places = [torch.unique(column) for column in _inside(corners, size, picture).cpu().unbind(1)]
        numbers = []
        for n, place in zip(last, places, strict=True):
            number = torch.full((n + 1,), -1)
            number[place] = torch.arange(len(place))
            numbers.append(number)
        return cls(size, picture, tuple(places), tuple(numbers)).to(device)

    def to(self, device: torch.device) -> WindowPositions:
        return replace(self, places=tuple(p.to(device) for p in self.places), numbers=tuple(n.to(device) for n in self.numbers))

    def spans(self) -> tuple[Span, ...]:
        """The windows themselves."""
        return tuple(Span(p, s, n) for p, s, n in zip(self.places, self.size, self.picture, strict=True))

    def at(self, corners: Tensor) -> tuple[Tensor, ...]:
        """By axis: the number of the place of every window.

        Raises:
            InputError: a window reaches out of the picture, or is none that the plan is made for.
        """
        columns = _inside(corners, self.size, self.picture).to(self.places[0].device).unbind(1)
        positions = tuple(number[column] for number, column in zip(self.numbers, columns, strict=True))
        if any(bool((f < 0).any()) for f in positions):
            bad = next(row.tolist() for row, *at in zip(corners, *positions, strict=True) if min(at) < 0)
            raise InputError(
                f"A window at {tuple(bad)}", "a plan made for other corners", "boxes are as small as the corners allow",
                "Build the plan with those corners, or with corners=None for any.",
            )  # fmt: skip
        return positions


def extents(marked: Tensor) -> Tensor:
    """From where to where (one past the last) anything is marked along each axis, with shape (n, axes, 2).

    Example:
        >>> extents(torch.tensor([[[0, 1, 1, 0], [0, 1, 0, 0]]]) > 0)
        tensor([[[0, 2],
                 [1, 3]]])
    """
    ranges = []
    for axis in range(1, marked.dim()):
        others = [a for a in range(1, marked.dim()) if a != axis]
        along = (marked.any(others[0]) if len(others) == 1 else marked.amax(others) if others else marked).long()
        last = along.shape[1] - along.flip(1).argmax(1)
        ranges.append(torch.stack([along.argmax(1), torch.where(along.any(1), last, 0)], 1))
    return torch.stack(ranges, 1)


def windows_around(extent: Tensor, picture: Sequence[int]) -> tuple[tuple[int, ...], Tensor]:
    """The smallest windows, all of one size, that cover one extent each; and their corners, inside the picture.

    Example:
        >>> windows_around(torch.tensor([[[0, 2], [1, 3]], [[3, 4], [3, 6]]]), picture=(4, 6))
        ((2, 3), tensor([[0, 1],
                [2, 3]]))
    """
    size = (extent[..., 1] - extent[..., 0]).amax(0).clamp(min=1)
    corners = torch.minimum(extent[..., 0], extent.new_tensor(list(picture)) - size)
    return tuple(size.tolist()), corners


def _inside(corners: Tensor, size: tuple[int, ...], picture: tuple[int, ...]) -> Tensor:
    if corners.dim() != 2 or corners.shape[1] != len(size):
        raise InputError(
            "Windows at these corners", f"a tensor of shape {tuple(corners.shape)}", "one row per window is needed",
            f"Give {len(size)} numbers for each, the first along the first axis of the picture.",
        )  # fmt: skip
    last = corners.new_tensor([p - s for s, p in zip(size, picture, strict=True)])
    outside = ((corners < 0) | (corners > last)).any(1)
    if bool(outside.any()):
        raise InputError(
            f"A window of {by(size)} at {tuple(corners[outside][0].tolist())}", f"a picture of {by(picture)}",
            "windows lie inside the picture", "Move it inside, and put the picture's own content where it had reached over.",
        )  # fmt: skip
    return corners.long()


def by(lengths: Sequence[int]) -> str:
    return " x ".join(map(str, lengths))
