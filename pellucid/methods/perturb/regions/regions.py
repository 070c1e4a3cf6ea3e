"""Regions: the parts of one sample that are removed together, as masks, and how values per region become a map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import ceil, prod
from typing import Any, Self

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Columns, Model

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Regions(ABC):
    """Parts of one sample. Adding one: a frozen dataclass with `n`, `gone` and `paint`.

    Arguments:
        shape: The shape of a mask: that of a sample, with length 1 along axes whose entries always go together, as the
            colours of a pixel.
        note: A sentence about them for the caption, where the division chose for itself.
    """

    shape: Shape
    note: str = field(default="", kw_only=True)

    @property
    @abstractmethod
    def n(self) -> int:
        """How many regions there are."""

    @property
    def soft(self) -> bool:
        """Whether masks hold shares in [0, 1] in place of True and False."""
        return False

    @abstractmethod
    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        """Masks over a sample, with shape (k, *shape): True (or 1) where something is removed.

        Arguments:
            absent: Which regions are removed, with shape (k, n): boolean, or shares in [0, 1].
            index: The numbers of these rows within the design.
        """

    @abstractmethod
    def paint(self, values: Tensor) -> Tensor:
        """What every place gets from one value per region: (n,) becomes `shape`; overlapping regions are averaged."""

    def to(self, device: torch.device) -> Self:
        """The same regions beside the data they divide."""
        changes: dict[str, Any] = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Partition(Regions):
    """Regions that do not overlap.

    Arguments:
        labels: The number of the region at every place, -1 for none, with shape `shape`.

    Example:
        >>> halves = Partition((4,), torch.tensor([0, 0, 1, 1]))
        >>> halves.gone(torch.tensor([[True, False]]), [0])
        tensor([[ True,  True, False, False]])
        >>> halves.paint(torch.tensor([3.0, -1.0]))
        tensor([ 3.,  3., -1., -1.])
    """

    labels: Tensor

    @property
    def n(self) -> int:
        return int(self.labels.max()) + 1

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        never = torch.zeros(len(absent), 1, dtype=absent.dtype, device=absent.device)
        return torch.cat([absent, never], 1)[:, self.labels]  # label -1 is the last column

    def paint(self, values: Tensor) -> Tensor:
        return torch.cat([values, values.new_zeros(1)])[self.labels]


@dataclass(frozen=True, eq=False)
class Windows(Regions):
    """Rectangles that may overlap.

    Arguments:
        boxes: First and last + 1 place along each of the trailing axes of `shape`, with shape (n, 2, axes).

    Example:
        >>> pairs = Windows((1, 3), torch.tensor([[[0], [2]], [[1], [3]]]))
        >>> pairs.gone(torch.tensor([[True, False]]), [0])
        tensor([[[ True,  True, False]]])
        >>> pairs.paint(torch.tensor([1.0, 3.0]))
        tensor([[1., 2., 3.]])
    """

    boxes: Tensor

    @property
    def n(self) -> int:
        return len(self.boxes)

    @property
    def sides(self) -> Shape:
        """The lengths of the axes that boxes lie along."""
        return self.shape[len(self.shape) - self.boxes.shape[2] :]

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        row, window = absent.nonzero(as_tuple=True)
        return self._stacked(row, window, absent[row, window].double(), len(absent)) > 0.5

    def paint(self, values: Tensor) -> Tensor:
        row, window = torch.zeros(self.n, dtype=torch.long), torch.arange(self.n)
        covered = self._stacked(row, window, torch.ones(self.n, dtype=torch.float64), 1).round().clamp(min=1)
        return (self._stacked(row, window, values.double().cpu(), 1) / covered)[0].to(values)

    def _stacked(self, row: Tensor, window: Tensor, amounts: Tensor, k: int) -> Tensor:
        """Boxes laid over one another, by sums of what begins and ends: with shape (k, *shape), double."""
        sides = self.sides
        edges = torch.zeros(k, *(side + 1 for side in sides), dtype=torch.float64, device=amounts.device)
        boxes = self.boxes.to(amounts.device)
        for corner in product((0, 1), repeat=len(sides)):
            places = tuple(boxes[window, end, axis] for axis, end in enumerate(corner))
            edges.index_put_((row, *places), amounts * (-1.0) ** sum(corner), accumulate=True)
        for axis in range(1, len(sides) + 1):
            edges = edges.cumsum(axis)
        inner = edges[(slice(None), *(slice(side) for side in sides))]
        return inner.reshape(k, *self.shape)


@dataclass(frozen=True, eq=False)
class Cells(Regions):
    """A coarse grid drawn large, with soft edges, and shifted at random from row to row, as in RISE.

    Arguments:
        grid: Cells along each of the trailing axes of `shape`.
        seed: Of the shifts.
    """

    grid: Shape
    seed: int = 0

    @property
    def soft(self) -> bool:
        return True

    @property
    def n(self) -> int:
        return prod(self.grid)

    @property
    def sides(self) -> Shape:
        return self.shape[len(self.shape) - len(self.grid) :]

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        k, mode = len(absent), {1: "linear", 2: "bilinear", 3: "trilinear"}[len(self.grid)]
        cell = tuple(ceil(side / cells) for side, cells in zip(self.sides, self.grid, strict=True))
        wide = [(cells + 1) * step for cells, step in zip(self.grid, cell, strict=True)]
        coarse = absent.float().reshape(k, 1, *self.grid)
        large = torch.nn.functional.interpolate(coarse, size=wide, mode=mode, align_corners=False)
        rows = [self._cut(large[row, 0], self._shift(i, cell)) for row, i in enumerate(index)]
        return torch.stack(rows).reshape(k, *self.shape)

    def _cut(self, large: Tensor, shift: Shape) -> Tensor:
        for axis, (start, side) in enumerate(zip(shift, self.sides, strict=True)):
            large = large.narrow(axis, start, side)
        return large

    def _shift(self, row: int, cell: Shape) -> Shape:
        rng = torch.Generator().manual_seed((self.seed << 32) + row)
        return tuple(int(torch.randint(step, (), generator=rng)) for step in cell)

    def paint(self, values: Tensor) -> Tensor:
        mode = {1: "linear", 2: "bicubic", 3: "trilinear"}[len(self.grid)]
        coarse = values.reshape(1, 1, *self.grid)
        fine = torch.nn.functional.interpolate(coarse, size=self.sides, mode=mode, align_corners=False)
        return fine.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class TableColumns(Partition):
    """The columns of a table, with all entries of a category in one region.

    Arguments:
        hot: The entry of each column that is painted: of a category, that of the value which stands there. The sum over the
            entries of a column is then what its region got.
        whole: Which columns are categories: no row has a share of one, so that masks of shares take it away from one half on.
    """

    hot: Tensor
    whole: Tensor

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        if absent.is_floating_point():
            absent = torch.where(self.whole.to(absent.device), (absent > 0.5).to(absent), absent)
        return super().gone(absent, index)

    def paint(self, values: Tensor) -> Tensor:
        painted = values.new_zeros(self.shape)
        painted[self.hot.to(values.device)] = values
        return painted


def table_columns(x: Tensor, model: Model | None) -> TableColumns | None:
    """The columns of a row, where the model says what its entries mean."""
    columns = getattr(model, "preprocess", None)
    if not isinstance(columns, Columns) or x.dim() != 2 or x.shape[1] != columns.width:
        return None
    groups = columns.groups
    hot = [int((groups == n).nonzero()[int(x[0].cpu()[groups == n].argmax())]) for n in range(len(columns.columns))]
    whole = [bool(column.values) for column in columns.columns]
    return TableColumns(tuple(x.shape[1:]), groups, torch.tensor(hot), torch.tensor(whole))


def partition(labels: Tensor) -> Partition:
    """Regions from labels, numbered without gaps; negative labels are in no region.

    Raises:
        InputError: there is no region at all.
    """
    known, numbered = torch.unique(labels, return_inverse=True)
    below = int((known < 0).sum())
    if below == len(known):
        raise InputError("regions", "zero of them", "there is nothing to take away", "Divide the input into at least one region.")
    return Partition(tuple(labels.shape), (numbered - below).clamp(min=-1))


def spatial_shape(x: Tensor) -> Shape:
    """The axes along which the places of one sample lie: rows and columns of a picture, steps of a signal, columns of a table."""
    return tuple(x.shape[2:]) if x.dim() > 2 else tuple(x.shape[1:])


def mask_shape(x: Tensor) -> Shape:
    """The shape of a mask whose entries cover all channels of a place."""
    return (1, *x.shape[2:]) if x.dim() > 2 else tuple(x.shape[1:])


def pixels(x: Tensor, model: Model) -> Tensor:
    """The picture behind x, with shape (height, width, channel), in [0, 255]: by the model's preprocessing, or by its range."""
    if model.image_preprocess is not None and len(model.image_preprocess.mean) == x.shape[1]:
        low, high = (bound.to(x) for bound in model.image_preprocess.bounds())
    else:
        low, high = x.amin(), x.amax()
    scaled = ((x[0] - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    return (scaled * 255).round().to(torch.uint8).permute(1, 2, 0).cpu()
