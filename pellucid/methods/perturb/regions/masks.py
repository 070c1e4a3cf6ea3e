"""Regions given as masks, which may overlap: each is taken away by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Model
from .division import Division
from .regions import Regions, mask_shape


@dataclass(frozen=True, eq=False)
class MaskRegions(Regions):
    """One region per mask. A place gets the mean of the values of all regions that cover it.

    Arguments:
        masks: True where a region lies, with shape (n, *shape).

    Example:
        >>> pairs = MaskRegions((3,), torch.tensor([[True, True, False], [False, True, True]]))
        >>> pairs.gone(torch.tensor([[False, True]]), [0])
        tensor([[False,  True,  True]])
        >>> pairs.paint(torch.tensor([1.0, 3.0]))
        tensor([1., 2., 3.])
    """

    masks: Tensor

    @property
    def n(self) -> int:
        return len(self.masks)

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        rows = [self.masks[row].any(0) for row in absent]
        return torch.stack(rows)

    def paint(self, values: Tensor) -> Tensor:
        weights = self.masks.to(values)
        total = torch.einsum("n,n...->...", values, weights)
        return total / weights.sum(0).clamp(min=1)


@dataclass(frozen=True, eq=False)
class Masks(Division):
    """Regions drawn by hand that may overlap.

    Arguments:
        masks: True where a region lies, with shape (n, *places), as (n, height, width) of pictures.
    """

    masks: Tensor

    def of(self, x: Tensor, model: Model) -> MaskRegions:
        shape = mask_shape(x)
        masks = torch.as_tensor(self.masks)
        masks = masks[:, None] if masks.dim() == len(shape) else masks
        if tuple(masks.shape[1:]) != tuple(shape) or masks.dtype != torch.bool or not len(masks):
            raise InputError(
                "regions from masks", f"{masks.dtype} of shape {tuple(masks.shape)}, and samples of shape {tuple(x.shape[1:])}",
                "a mask says for every place whether it belongs to the region", "Give booleans with shape (n, *places).",
            )  # fmt: skip
        return MaskRegions(shape, masks.cpu())

    def __str__(self) -> str:
        return f"Masks(n={len(self.masks)})"
