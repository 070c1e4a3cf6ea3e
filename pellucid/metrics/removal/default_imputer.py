"""The default imputer of removal metrics: the mean of pictures, signals and tokens, and 0 in tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pellucid.methods.perturb.imputers.imputer import Constant, Fill, Mean
from pellucid.methods.perturb.regions.regions import Regions
from pellucid.model import Model


@dataclass(frozen=True)
class DefaultImputer:
    """The mean of each channel, of pictures, signals and tokens; 0 in a row of a table, the mean of standardised columns.

    The columns of a table have units of their own, so that the mean of the row would have none. Where columns are not
    standardised, give their means: `evaluate(..., imputer=means)`.

    Example:
        >>> import torch
        >>> [fill.prepare(torch.tensor([[1.0, 3.0]]), None, None)(None, [0]).item() for fill in (DefaultImputer(), Mean())]
        [0.0, 2.0]
    """

    soft: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        imputer = Mean() if x.dim() > 2 else Constant(0.0)
        return imputer.prepare(x, regions, model)  # type: ignore[arg-type]
