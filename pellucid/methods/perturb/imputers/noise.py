"""The noise imputer: removed places become random, each channel on its own scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pellucid.core.random import normal
from pellucid.errors import InputError
from pellucid.model import Model
from ..regions.regions import Regions
from .draws import SampleFill, draw_generator
from .imputer import Fill, Imputer


@dataclass(frozen=True)
class Noise(Imputer):
    """Independent random numbers at every entry, with the statistics of its channel (of the row, for a table or a vector).

    Arguments:
        kind: "normal", with the mean and standard deviation of the sample's own channel, or "uniform", between its least and its
            greatest entry.
        seed: Of the draws.

    Example:
        >>> x = torch.tensor([[[5.0, 5.0, 5.0], [0.0, 1.0, 0.5]]])
        >>> Noise("uniform").prepare(x, None, None)(torch.ones(1, 1, 3), [0])[0, 0]
        tensor([5., 5., 5.])
    """

    soft: ClassVar[bool] = True
    random: ClassVar[bool] = True

    kind: Literal["normal", "uniform"] = "normal"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("normal", "uniform"):
            raise InputError(f"noise({self.kind!r})", "an unknown kind of noise", "it is normal or uniform", "Choose one.")

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        axes = tuple(range(2, x.dim())) if x.dim() > 2 else (1,)
        if self.kind == "normal":
            start, width = x.mean(axes, keepdim=True), x.std(axes, correction=0, keepdim=True)
        else:
            start = x.amin(axes, keepdim=True)
            width = x.amax(axes, keepdim=True) - start
        return SampleFill(tuple(x.shape[1:]), lambda draw: start + width * self._field(x, draw).to(x))

    def _field(self, x: Tensor, draw: int) -> Tensor:
        rng = draw_generator(self.seed, draw)
        if self.kind == "normal":
            return normal(x.shape, rng)
        return torch.rand(x.shape, generator=rng, dtype=torch.float64, device="cpu")
