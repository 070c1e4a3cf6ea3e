"""Divisions: ways to divide an input into regions, as users ask for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, prod

import torch
from torch import Tensor

from pellucid.errors import InputError, MissingExtra
from pellucid.model import Model
from .regions import Partition, Regions, Shape, TableColumns, Windows, mask_shape, partition, pixels, spatial_shape, table_columns


@dataclass(frozen=True)
class Division(ABC):
    """A way to divide an input into regions. Adding one: a frozen dataclass with `of`."""

    @abstractmethod
    def of(self, x: Tensor, model: Model) -> Regions:
        """The regions of one sample.

        Arguments:
            x: With shape (1, ...), in the units the model takes.

        Raises:
            InputError: the division does not fit the sample.
        """


@dataclass(frozen=True)
class Sliding(Division):
    """Windows side by side, or overlapping where the stride is smaller than the size. The last ones end at the border.

    Arguments:
        size: Side length in places, or one per axis; None: 16, or a quarter of an axis that is shorter than 64.
        stride: Distance between windows; None: half the size.
        clip: What happens where the last step passes the border: True cuts the window off there, False moves it inside.
    """

    size: int | Shape | None = None
    stride: int | Shape | None = None
    clip: bool = True

    def of(self, x: Tensor, model: Model) -> Regions:
        columns = table_columns(x, model) if self.size is None and self.stride is None else None
        if columns is not None:  # columns of a table have no neighbours that a window could cover with them
            return columns
        return self.windows(x)

    def windows(self, x: Tensor) -> Windows:
        """The windows over the places of one sample."""
        sides = spatial_shape(x)
        usual = tuple(max(1, min(16, side // 4)) for side in sides)
        size = usual if self.size is None else self._each(self.size, sides, "size")
        half = tuple(max(1, length // 2) for length in size)
        stride = half if self.stride is None else self._each(self.stride, sides, "stride")
        for length, side in zip(size, sides, strict=True):
            if length > side:
                raise InputError(
                    f"windows of {' x '.join(map(str, size))}", f"an input of {' x '.join(map(str, sides))} places",
                    "a window has to fit into it", "Ask for smaller ones.",
                )  # fmt: skip
        starts = [self._starts(*axis) for axis in zip(sides, size, stride, strict=True)]
        first = torch.tensor(list(product(*starts)))
        last = torch.minimum(first + torch.tensor(size), torch.tensor(sides))
        return Windows(mask_shape(x), torch.stack([first, last], 1))

    def _starts(self, side: int, size: int, stride: int) -> list[int]:
        steps = ceil((side - size) / stride)
        steps = min(steps, (side - 1) // stride) if self.clip else steps  # none begins beyond the border
        return [i * stride if self.clip else min(i * stride, side - size) for i in range(steps + 1)]

    def _each(self, length: int | Shape, sides: Shape, what: str) -> Shape:
        each = (length,) * len(sides) if isinstance(length, int) else tuple(length)
        if len(each) != len(sides) or min(each) < 1:
            raise InputError(
                f"windows with {what}={length}", f"an input with {len(sides)} axes of places",
                "a length of at least 1 is needed along each", f"Give one number, or {len(sides)}.",
            )  # fmt: skip
        return each


@dataclass(frozen=True)
class Grid(Division):
    """A grid of n cells along every axis, as equal as they can be.

    Arguments:
        n: Cells along each axis of places, or one number per axis.
    """

    n: int | Shape

    def of(self, x: Tensor, model: Model) -> Partition:
        sides = spatial_shape(x)
        n = (self.n,) * len(sides) if isinstance(self.n, int) else tuple(self.n)
        if len(n) != len(sides) or min(n) < 1 or any(cells > side for cells, side in zip(n, sides, strict=True)):
            raise InputError(
                f"a grid of {n}", f"an input of {' x '.join(map(str, sides))} places", "every cell needs at least one place",
                "Ask for fewer cells.",
            )  # fmt: skip
        labels = torch.zeros(sides, dtype=torch.long)
        for axis, (cells, side) in enumerate(zip(n, sides, strict=True)):
            number = torch.arange(side) * cells // side
            labels = labels * cells + number.reshape(-1, *[1] * (len(sides) - axis - 1))
        return partition(labels.reshape(mask_shape(x)))


@dataclass(frozen=True)
class Superpixels(Division):
    """Superpixels of a picture, by SLIC; needs the extra `segments`.

    Arguments:
        n: About how many.
        compactness: How square, against how alike in colour.

    References: Achanta et al., 2012, https://doi.org/10.1109/TPAMI.2012.120
    """

    n: int = 100
    compactness: float = 10.0

    def of(self, x: Tensor, model: Model) -> Partition:
        from pellucid.explanation.superpixels import superpixels

        if x.dim() != 4:
            shape = f"an input of shape {tuple(x.shape)}"
            raise InputError("superpixels", shape, "they are parts of pictures", "Use pl.perturb.Grid(n).")
        labels = superpixels(pixels(x, model), n=self.n, compactness=self.compactness)
        return partition(labels[None])


@dataclass(frozen=True)
class Along(Division):
    """One region for every entry along one axis, with all that belongs to it: channels, columns of a table, tokens.

    Arguments:
        axis: Counted with the batch: 1 are the channels.
        name: What one of them is called.
    """

    axis: int
    name: str = "entry"

    def of(self, x: Tensor, model: Model) -> Partition:
        if not 0 < self.axis < x.dim():
            raise InputError(
                f"one region per {self.name}", f"an input of shape {tuple(x.shape)}", f"it has no axis {self.axis}",
                "Divide it otherwise.",
            )  # fmt: skip
        shape = [1] * (x.dim() - 1)
        shape[self.axis - 1] = x.shape[self.axis]
        return Partition(tuple(shape), torch.arange(x.shape[self.axis]).reshape(shape))


@dataclass(frozen=True)
class Entries(Division):
    """Every place on its own: every pixel with its colours, every column of a table, every step of a signal."""

    def of(self, x: Tensor, model: Model) -> Partition:
        columns = table_columns(x, model)
        if columns is not None:
            return columns
        shape = mask_shape(x)
        return Partition(shape, torch.arange(prod(shape)).reshape(shape))


@dataclass(frozen=True, eq=False)
class Groups(Division):
    """Regions drawn by hand.

    Arguments:
        mask: The number of the group at every entry, from 0 on, -1 for none; shaped like a sample, with length 1 along axes
            whose entries go together. Numbers that are left out are left out.
    """

    mask: Tensor

    def of(self, x: Tensor, model: Model) -> Partition:
        mask = torch.as_tensor(self.mask).cpu()
        mask = mask[0] if mask.dim() == x.dim() and len(mask) == 1 else mask
        mask = mask.reshape(1, *mask.shape) if mask.dim() == x.dim() - 2 else mask
        fits = mask.dim() == x.dim() - 1 and all(m in (1, s) for m, s in zip(mask.shape, x.shape[1:], strict=True))
        if not fits or mask.is_floating_point() or mask.is_complex():
            raise InputError(
                "regions from a mask", f"{mask.dtype} of shape {tuple(mask.shape)}, and samples of shape {tuple(x.shape[1:])}",
                "the mask holds the number of a region for every entry",
                "Give integers, shaped like a sample or with length 1 where entries go together.",
            )  # fmt: skip
        return partition(mask.long())


@dataclass(frozen=True)
class Parts(Division):
    """About n parts that mean something together: superpixels of a picture, all columns of a table, else cells of a grid."""

    n: int = 50

    def of(self, x: Tensor, model: Model) -> Partition:
        regions, what = self._choice(x, model)
        if isinstance(regions, TableColumns):
            return regions
        return replace(regions, note=f"No regions were given: the input is divided into {regions.n:,} {what}.")

    def _choice(self, x: Tensor, model: Model) -> tuple[Partition, str]:
        if x.dim() == 2:
            return Entries().of(x, model), "single columns"
        if x.dim() == 4 and x.shape[1] == 3:
            try:
                superpixels = Superpixels(self.n).of(x, model)
            except MissingExtra:
                return self._grid(x, model), "cells of a grid, since scikit-image is not installed"
            if 2 * superpixels.n >= min(self.n, prod(spatial_shape(x))):
                return superpixels, "superpixels"
            return self._grid(x, model), f"cells of a grid, since there are only {superpixels.n} superpixels"
        return self._grid(x, model), "cells of a grid"

    def _grid(self, x: Tensor, model: Model) -> Partition:
        sides = spatial_shape(x)
        each = max(1, round(self.n ** (1 / len(sides))))
        return Grid(tuple(min(each, side) for side in sides)).of(x, model)


@dataclass(frozen=True)
class Coarse(Division):
    """A grid of n cells along every axis of places, or as many as there are places; columns of a table one by one."""

    n: int = 8

    def of(self, x: Tensor, model: Model) -> Regions:
        if x.dim() == 2:
            return Entries().of(x, model)
        return Grid(tuple(min(self.n, side) for side in spatial_shape(x))).of(x, model)


def as_division(regions: Division | Tensor | None, usual: Division) -> Division:
    """What users write as regions: a division, a tensor with the number of the region at every entry, or nothing."""
    if regions is None:
        return usual
    return Groups(regions) if isinstance(regions, Tensor) else regions
