"""What an operation reads when it runs on changed windows: a box, a region cut out of a map, a whole map or a shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor

from pellucid.tape.batch import Batch
from .box import Box, MapLayout
from .span import Cut

Key = tuple[int, float | None]
"""A clean value: as rows with a border of that fill, or (None) as it is, for one sample."""
NOWHERE = 1 << 40


@dataclass(eq=False)
class ForwardPass:
    """One batch of windows on its way through the network.

    Arguments:
        n: How many windows.
        at: By axis of the picture: the number of each window's place.
        clean: What the values were before any change.
        pasting: By value: how its box is pasted into the whole map.
        boxes, full_maps: What has been computed: only where it changed, or all of it.
    """

    n: int
    at: tuple[Tensor, ...]
    clean: Mapping[Key, Tensor]
    pasting: Mapping[int, Fetch]
    boxes: dict[int, Tensor]
    full_maps: dict[int, Tensor] = field(default_factory=dict)

    def full_map(self, value: int) -> Tensor:
        """All of a changed value, for every window."""
        if value not in self.full_maps:
            self.full_maps[value] = self.pasting[value](self)
        return self.full_maps[value]


class Operand(ABC):
    """An argument of an operation that depends on the windows, made when it runs; other arguments are passed as they are."""

    @abstractmethod
    def __call__(self, run: ForwardPass) -> Any: ...

    @property
    def reads(self) -> int | None:
        """The changed value that it is made from."""
        return None


@dataclass(frozen=True, eq=False)
class Changed(Operand):
    """A value that changes with the window."""

    value: int

    @property
    def reads(self) -> int:
        return self.value


class Patch(Changed):
    """The box of a changed value, as it is."""

    def __call__(self, run: ForwardPass) -> Tensor:
        return run.boxes[self.value]


class FullMap(Changed):
    """All of a changed value."""

    def __call__(self, run: ForwardPass) -> Tensor:
        return run.full_map(self.value)


@dataclass(frozen=True, eq=False)
class Clean(Operand):
    """One sample of a value, as it was before any change."""

    value: int

    def __call__(self, run: ForwardPass) -> Tensor:
        return run.clean[self.value, None]


@dataclass(frozen=True, eq=False)
class Repeated(Operand):
    """What a constant holds for one sample, for every window."""

    tensor: Tensor
    batch: Batch

    def __call__(self, run: ForwardPass) -> Tensor:
        return repeated(self.tensor, self.batch, run.n)


@dataclass(frozen=True, eq=False)
class BatchedShape(Operand):
    """A shape, with as many samples as there are windows. `shape` is that of one sample."""

    shape: tuple[int, ...]
    axis: int

    def __call__(self, run: ForwardPass) -> list[int]:
        return [run.n * length if a == self.axis else length for a, length in enumerate(self.shape)]


@dataclass(frozen=True, eq=False)
class WindowCount(Operand):
    """How many windows there are."""

    def __call__(self, run: ForwardPass) -> int:
        return run.n


@dataclass(frozen=True, eq=False)
class Lookup(Operand):
    """The entry of a table for the place of every window."""

    table: Tensor
    axis: int

    def __call__(self, run: ForwardPass) -> Tensor:
        return self.table[run.at[self.axis]]


@dataclass(frozen=True, eq=False)
class Fetch(Operand):
    """A region around each window, cut out of the clean map, with what changed written over it.

    Arguments:
        key: The clean map.
        layout: How the value is laid out.
        box: Where it changed; None: nowhere.
        lengths: Of the region.
        source: By axis, place and position in the region: how far into the clean rows.
        target: By axis, place and position in the box: how far into the region, or far beyond it.
        clipped: Whether some of the box may lie outside the region.
    """

    key: Key
    layout: MapLayout
    box: Box | None
    lengths: tuple[int, ...]
    source: tuple[Tensor, ...]
    target: tuple[Tensor, ...]
    clipped: bool

    @classmethod
    def of(cls, value: int, layout: MapLayout, box: Box | None, cuts: Sequence[Cut], fill: float = 0.0) -> Fetch:
        lengths = tuple(cut.length for cut in cuts)
        source, target = [], []
        for size, cut, step in zip(layout.sizes, cuts, _strides([s + 1 for s in layout.sizes]), strict=True):
            positions = cut.positions()
            inside = (positions >= 0) & (positions < size)
            source.append(torch.where(inside, positions, size) * step)
        for span, cut, step in zip(box.spans if box else (), cuts, _strides(lengths), strict=False):
            offset = span.cut().positions() - cut.starts[:, None]
            hit = (offset >= 0) & (offset % cut.step == 0) & (offset < cut.step * cut.length)
            target.append(torch.where(hit, offset // cut.step * step, NOWHERE))
        clipped = any(bool((t >= NOWHERE).any()) for t in target)
        return cls((value, fill), layout, box, lengths, tuple(source), tuple(target), clipped)

    @property
    def reads(self) -> int | None:
        return None if self.box is None else self.key[0]

    def __call__(self, run: ForwardPass) -> Tensor:
        rows = run.clean[self.key]
        index = cross_sum(self.source, run.at).reshape(-1)
        if self.box is None:
            region = rows.index_select(0, index)
        else:
            region = rows.new_empty(len(index) + 1, rows.shape[1])  # one row more, for what of the box lies outside
            torch.index_select(rows, 0, index, out=region[:-1])
            region.index_copy_(0, self._places(run), self.layout.rows(run.boxes[self.key[0]]).reshape(-1, rows.shape[1]))
            region = region[:-1]
        return self.layout.value(region.view(run.n, *self.lengths, rows.shape[1]))

    def _places(self, run: ForwardPass) -> Tensor:
        """The row of the region that each row of the box is written to."""
        each = prod(self.lengths)
        first = torch.arange(0, run.n * each, each, device=run.at[0].device)
        places = cross_sum(self.target, run.at) + first.view(-1, *[1] * len(self.lengths))
        return (places.clamp_(max=run.n * each) if self.clipped else places).reshape(-1)


def overwrite_box(clean_map: Tensor, run: ForwardPass, value: int, box: Box) -> Tensor:
    """A clean map after the change of the only window of a run."""
    steps = _strides([size + 1 for size in box.layout.sizes])
    places = cross_sum([span.cut().positions() * step for span, step in zip(box.spans, steps, strict=True)], run.at)
    rows = box.layout.rows(run.boxes[value])
    return clean_map.index_copy(0, places.reshape(-1), rows.reshape(-1, rows.shape[-1]))


def cross_sum(tables: Sequence[Tensor], at: Sequence[Tensor]) -> Tensor:
    """The sum of one entry from each table for every combination, per window: shape (n, length 1, length 2, ...).

    Example:
        >>> cross_sum([torch.tensor([[0, 10]]), torch.tensor([[1, 2, 3]])], [torch.tensor([0]), torch.tensor([0])])
        tensor([[[ 1,  2,  3],
                 [11, 12, 13]]])
    """
    total = torch.zeros((), dtype=torch.long, device=at[0].device)
    for axis, (table, places) in enumerate(zip(tables, at, strict=True)):
        shape = [1] * len(tables)
        shape[axis] = -1
        total = total + table[places].view(len(places), *shape)
    return total


def first_sample(tensor: Tensor, batch: Batch, samples: int) -> Tensor:
    """The first sample, where `samples` of them lie as `batch` says.

    Example:
        >>> first_sample(torch.tensor([1, 2, 3, 4]), Batch(0, every=2), 2), first_sample(torch.tensor([1, 2, 3, 4]), Batch(0), 2)
        (tensor([1, 2]), tensor([1, 3]))
    """
    axis, shape = batch.axis, tensor.shape
    split = tensor.reshape(*shape[:axis], -1, samples, batch.every, *shape[axis + 1 :])
    return split.select(axis + 1, 0).flatten(axis, axis + 1)


def repeated(tensor: Tensor, batch: Batch, n: int) -> Tensor:
    """One sample n times over, each where `batch` says.

    Example:
        >>> repeated(torch.tensor([1, 2]), Batch(0, every=2), 3), repeated(torch.tensor([1, 2]), Batch(0), 2)
        (tensor([1, 2, 1, 2, 1, 2]), tensor([1, 1, 2, 2]))
    """
    axis, shape = batch.axis, tensor.shape
    split = tensor.reshape(*shape[:axis], -1, 1, batch.every, *shape[axis + 1 :])
    repeated = split.expand(*split.shape[: axis + 1], n, *split.shape[axis + 2 :])
    return repeated.flatten(axis, axis + 2)


def _strides(lengths: Sequence[int]) -> list[int]:
    strides = [1]
    for length in reversed(lengths[1:]):
        strides.insert(0, strides[0] * length)
    return strides
