"""The regions that suit an input when none are given."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from pellucid.errors import MissingExtra
from pellucid.model import Model
from .division import Division, Entries, Grid, Groups, Superpixels
from .regions import Partition, Regions, TableColumns, spatial_shape


@dataclass(frozen=True, eq=False)
class DefaultRegions(Partition):
    """Regions that nobody asked for.

    Arguments:
        what: What they are, in the plural.
    """

    what: str

    @property
    def note(self) -> str:
        """What was chosen, for the caption."""
        return f"No regions were given: the input is divided into {self.n:,} {self.what}."


@dataclass(frozen=True)
class Parts(Division):
    """About n parts that mean something together: superpixels of a picture, columns of a table, else cells of a grid.

    Arguments:
        n: How many, about. A table has as many as it has columns.
    """

    n: int = 50

    def of(self, x: Tensor, model: Model) -> Partition:
        regions, what = self._choice(x, model)
        if isinstance(regions, TableColumns):
            return regions
        return DefaultRegions(regions.shape, regions.labels, what)

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
    """A grid of n cells along every axis, or as many as there are places; columns of a table one by one.

    Arguments:
        n: Cells along each axis of places.
    """

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
