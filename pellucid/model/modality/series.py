"""Series: their channels, unit and sampling rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor

from pellucid.errors.printable import make_printable
from .base import Modality

MOST = 5
SOUND_RATE, SHORTEST_SOUND = 4000, 64  # samples a second, samples


@dataclass(frozen=True, eq=False)
class Series(Modality):
    """Series over time.

    Arguments:
        names: Of the channels.
        unit: Of the values.
        rate: Samples per second.
        curves: The values in that unit, with shape (batch, channel, time).

    Example:
        >>> import torch
        >>> Series(("I",), "mV", 4.0, torch.zeros(1, 1, 8)).seconds(2)
        0.5
    """

    kind: ClassVar[str] = "curves"
    per_sample: ClassVar[tuple[str, ...]] = ("curves",)

    names: tuple[str, ...]
    unit: str
    rate: float
    curves: Tensor

    def __post_init__(self) -> None:
        make_printable(self, "names", "unit")

    def whole(self) -> bool:
        curves = self.curves
        return (
            curves.dim() == 3 and curves.shape[1] == len(self.names) and curves.is_floating_point() and 0 < self.rate < math.inf
        )

    def fits(self, values: Tensor) -> bool:
        return values.shape == self.curves.shape

    def arrange(self, values: Tensor) -> Tensor:
        """Steps of time in a row; channels stay channels."""
        return values[:, None] if values.dim() == 2 else values.reshape(-1, 1, values.shape[-1])

    def seconds(self, step: float) -> float:
        """When a step is."""
        return step / self.rate

    @property
    def is_sound(self) -> bool:
        """Whether it has as many samples a second as only sounds have, so that its spectrogram is worth seeing."""
        return self.rate >= SOUND_RATE and self.curves.shape[-1] >= SHORTEST_SOUND

    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """The stretches of time that say most, each a twentieth of the whole, with their sums."""
        row = heat.flatten().double()
        count = min(20, len(row))
        edges = [round(n * len(row) / count) for n in range(count + 1)]
        spans = [{"from_s": self.seconds(a), "to_s": self.seconds(b), "value": float(row[a:b].sum())} for a, b in pairwise(edges)]
        strongest = sorted(spans, key=lambda span: -abs(span["value"]))[:MOST]
        return {"channels": list(self.names), "unit": self.unit, "rate": self.rate, "stretches": strongest}
