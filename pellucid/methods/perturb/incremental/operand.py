"""What an operation is given when it runs on changed windows: boxes, regions cut out of changed maps, whole maps, constants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor

from pellucid.tape.batch import Batch
from .box import Box, Form
from .span import Cut

Key = tuple[int, float | None]
"""A clean value: as rows with a border of that fill, or (None) as it is, for one sample."""
NOWHERE = 1 << 40


@dataclass(eq=False)
class Run:
    """One batch of windows on its way through the network.

    Arguments:
        n: How many windows.
        at: By axis of the picture: the number of each window's place.
        clean: What the values were before any change.
        pasting: By value: how its box is pasted into the whole map.
        boxes, wholes: What has been computed: only where it changed, or all of it.
    """

    n: int
    at: tuple[Tensor, ...]
    clean: Mapping[Key, Tensor]
    pasting: Mapping[int, Fetch]
    boxes: dict[int, Tensor]
    wholes: dict[int, Tensor] = field(default_factory=dict)

    def whole(self, value: int) -> Tensor:
        """All of a changed value, for every window."""
        if value not in self.wholes:
            self.wholes[value] = self.pasting[value](self)
        return self.wholes[value]


class Operand(ABC):
    """Something that an operation is given, made when it runs."""

    @abstractmethod
    def __call__(self, run: Run) -> Any: ...

    @property
    def reads(self) -> int | None:
        """The changed value that it is made from."""
        return None


@dataclass(frozen=True, eq=False)
class Patch(Operand):
    """The box of a changed value, as it is."""

    value: int

    def __call__(self, run: Run) -> Tensor:
        return run.boxes[self.value]

    @property
    def reads(self) -> int:
        return self.value


@dataclass(frozen=True, eq=False)
class Whole(Operand):
    """All of a changed value."""

    value: int

    def __call__(self, run: Run) -> Tensor:
        return run.whole(self.value)

    @property
    def reads(self) -> int:
        return self.value


@dataclass(frozen=True, eq=False)
class Held(Operand):
    """A constant: the same for all windows."""

    tensor: Tensor

    def __call__(self, run: Run) -> Tensor:
        return self.tensor


@dataclass(frozen=True, eq=False)
class Clean(Operand):
    """One sample of a value, as it was before any change."""

    value: int

    def __call__(self, run: Run) -> Tensor:
        return run.clean[self.value, None]


@dataclass(frozen=True, eq=False)
class Grown(Operand):
    """What stands in a constant for one sample, for every window."""

    tensor: Tensor
    batch: Batch

    def __call__(self, run: Run) -> Tensor:
        return grown(self.tensor, self.batch, run.n)


@dataclass(frozen=True, eq=False)
class Sizes(Operand):
    """A shape, with as many samples as there are windows. `shape` is that of one sample."""

    shape: tuple[int, ...]
    axis: int

    def __call__(self, run: Run) -> list[int]:
        return [run.n * length if a == self.axis else length for a, length in enumerate(self.shape)]


@dataclass(frozen=True, eq=False)
class Count(Operand):
    """How many windows there are."""

    def __call__(self, run: Run) -> int:
        return run.n


@dataclass(frozen=True, eq=False)
class Looked(Operand):
    """What a table, one entry per place, says of every window."""

    table: Tensor
    axis: int

    def __call__(self, run: Run) -> Tensor:
        return self.table[run.at[self.axis]]


@dataclass(frozen=True, eq=False)
class Fetch(Operand):
    """A region around each window, cut out of the clean map, with what changed written over it.

    Arguments:
        key: The clean map.
        form: How the value is laid out.
        box: Where it changed; None: nowhere.
        lengths: Of the region.
        source: By axis, place and position in the region: how far into the clean rows.
        target: By axis, place and position in the box: how far into the region, or far beyond it.
        clipped: Whether some of the box may lie outside the region.
    """

    key: Key
    form: Form
    box: Box | None
    lengths: tuple[int, ...]
    source: tuple[Tensor, ...]
    target: tuple[Tensor, ...]
    clipped: bool

    @classmethod
    def of(cls, value: int, form: Form, box: Box | None, cuts: Sequence[Cut], fill: float = 0.0) -> Fetch:
        lengths = tuple(cut.length for cut in cuts)
        source, target = [], []
        for size, cut, step in zip(form.sizes, cuts, _strides([s + 1 for s in form.sizes]), strict=True):
            positions = cut.positions()
            inside = (positions >= 0) & (positions < size)
            source.append(torch.where(inside, positions, size) * step)
        for span, cut, step in zip(box.spans if box else (), cuts, _strides(lengths), strict=False):
            away = span.cut().positions() - cut.starts[:, None]
            hit = (away >= 0) & (away % cut.step == 0) & (away < cut.step * cut.length)
            target.append(torch.where(hit, away // cut.step * step, NOWHERE))
        clipped = any(bool((t >= NOWHERE).any()) for t in target)
        return cls((value, fill), form, box, lengths, tuple(source), tuple(target), clipped)

    @property
    def reads(self) -> int | None:
        return None if self.box is None else self.key[0]

    def __call__(self, run: Run) -> Tensor:
        rows = run.clean[self.key]
        index = crossed(self.source, run.at).reshape(-1)
        if self.box is None:
            region = rows.index_select(0, index)
        else:
            region = rows.new_empty(len(index) + 1, rows.shape[1])  # one row more, for what of the box lies outside
            torch.index_select(rows, 0, index, out=region[:-1])
            region.index_copy_(0, self._places(run), self.form.rows(run.boxes[self.key[0]]).reshape(-1, rows.shape[1]))
            region = region[:-1]
        return self.form.value(region.view(run.n, *self.lengths, rows.shape[1]))

    def _places(self, run: Run) -> Tensor:
        """The row of the region that each row of the box is written to."""
        each = prod(self.lengths)
        first = torch.arange(0, run.n * each, each, device=run.at[0].device)
        places = crossed(self.target, run.at) + first.view(-1, *[1] * len(self.lengths))
        return (places.clamp_(max=run.n * each) if self.clipped else places).reshape(-1)


def written(kept: Tensor, run: Run, value: int, box: Box) -> Tensor:
    """A clean map after the change of the only window of a run."""
    steps = _strides([size + 1 for size in box.form.sizes])
    places = crossed([span.cut().positions() * step for span, step in zip(box.spans, steps, strict=True)], run.at)
    rows = box.form.rows(run.boxes[value])
    return kept.index_copy(0, places.reshape(-1), rows.reshape(-1, rows.shape[-1]))


def crossed(tables: Sequence[Tensor], at: Sequence[Tensor]) -> Tensor:
    """The sum of one entry from each table for every combination, per window: shape (n, length 1, length 2, ...).

    Example:
        >>> crossed([torch.tensor([[0, 10]]), torch.tensor([[1, 2, 3]])], [torch.tensor([0]), torch.tensor([0])])
        tensor([[[ 1,  2,  3],
                 [11, 12, 13]]])
    """
    total = torch.zeros((), dtype=torch.long, device=at[0].device)
    for axis, (table, places) in enumerate(zip(tables, at, strict=True)):
        shape = [1] * len(tables)
        shape[axis] = -1
        total = total + table[places].view(len(places), *shape)
    return total


def single(tensor: Tensor, batch: Batch, samples: int) -> Tensor:
    """The first sample, where `samples` of them lie as `batch` says.

    Example:
        >>> single(torch.tensor([1, 2, 3, 4]), Batch(0, every=2), 2), single(torch.tensor([1, 2, 3, 4]), Batch(0), 2)
        (tensor([1, 2]), tensor([1, 3]))
    """
    axis, shape = batch.axis, tensor.shape
    apart = tensor.reshape(*shape[:axis], -1, samples, batch.every, *shape[axis + 1 :])
    return apart.select(axis + 1, 0).flatten(axis, axis + 1)


def grown(tensor: Tensor, batch: Batch, n: int) -> Tensor:
    """One sample n times over, each where `batch` says.

    Example:
        >>> grown(torch.tensor([1, 2]), Batch(0, every=2), 3), grown(torch.tensor([1, 2]), Batch(0), 2)
        (tensor([1, 2, 1, 2, 1, 2]), tensor([1, 1, 2, 2]))
    """
    axis, shape = batch.axis, tensor.shape
    apart = tensor.reshape(*shape[:axis], -1, 1, batch.every, *shape[axis + 1 :])
    repeated = apart.expand(*apart.shape[: axis + 1], n, *apart.shape[axis + 2 :])
    return repeated.flatten(axis, axis + 2)


def _strides(lengths: Sequence[int]) -> list[int]:
    strides = [1]
    for length in reversed(lengths[1:]):
        strides.insert(0, strides[0] * length)
    return strides
