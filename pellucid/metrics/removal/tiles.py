"""Tiles: a division of the input into squares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.methods.perturb.regions.division import Division, Entries
from pellucid.methods.perturb.regions.regions import Partition, mask_shape, partition, spatial_shape
from pellucid.model import Model


@dataclass(frozen=True)
class Tiles(Division):
    """Squares side by side, beginning at the first place; those at the far border are cut off. Columns of a table one by one.

    Arguments:
        size: Side length in places; no more than a quarter of an axis.

    Example:
        >>> Tiles(2).of(torch.zeros(1, 3, 1, 9), None).labels
        tensor([[[0, 0, 1, 1, 2, 2, 3, 3, 4]]])
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"Tiles({self.size})", "a side below 1", "a tile holds at least one place", "Ask for 9, say.")

    def of(self, x: Tensor, model: Model) -> Partition:
        if x.dim() == 2:
            return Entries().of(x, model)
        sides = spatial_shape(x)
        size = [min(self.size, max(1, side // 4)) for side in sides]
        number = [torch.arange(side) // length for side, length in zip(sides, size, strict=True)]
        labels = torch.zeros(sides, dtype=torch.long)
        for axis, along in enumerate(number):
            labels = labels * (int(along[-1]) + 1) + along.reshape(-1, *[1] * (len(sides) - axis - 1))
        return partition(labels.reshape(mask_shape(x)))
