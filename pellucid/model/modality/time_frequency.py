"""Spectrograms: how strong every frequency of a series is at every time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor

from pellucid.errors.printable import make_printable
from .base import Modality

MOST = 5
ROWS, COLUMNS = 8, 20  # of the pieces that are named


@dataclass(frozen=True, eq=False)
class TimeFrequency(Modality):
    """Spectrograms.

    Arguments:
        names: Of the channels.
        unit: Of the levels: "dB".
        hertz: The frequency of every row, rising.
        start_s: The time of the first column, the middle of what it sees.
        step_s: From one column to the next.
        end_s: How long the series is, which begins at 0.
        levels: With shape (batch, channel, frequency, time).

    Example:
        >>> import torch
        >>> one = TimeFrequency(("left",), "dB", (0.0, 500.0, 1000.0), 0.008, 0.004, 0.02, torch.zeros(1, 1, 3, 4))
        >>> one.seconds(2), one.band(1)
        (0.016, (250.0, 750.0))
    """

    kind: ClassVar[str] = "spectrogram"
    per_sample: ClassVar[tuple[str, ...]] = ("levels",)

    names: tuple[str, ...]
    unit: str
    hertz: tuple[float, ...]
    start_s: float
    step_s: float
    end_s: float
    levels: Tensor

    def __post_init__(self) -> None:
        make_printable(self, "names", "unit")

    def whole(self) -> bool:
        times = (self.start_s, self.step_s, self.end_s, *self.hertz)
        rising = all(a < b for a, b in pairwise(self.hertz))
        shape = (len(self.names), len(self.hertz))
        fits = self.levels.dim() == 4 and tuple(self.levels.shape[1:3]) == shape and self.levels.is_floating_point()
        return fits and rising and all(map(math.isfinite, times)) and self.step_s > 0 and self.end_s > 0

    def fits(self, values: Tensor) -> bool:
        return values.numel() == self.levels.numel() and values.shape[-2:] == self.levels.shape[-2:]

    def arrange(self, values: Tensor) -> Tensor:
        """Frequencies, from the lowest on, by times; channels stay channels."""
        return values.reshape(-1, *values.shape[-2:])

    def seconds(self, column: float) -> float:
        """When a column is."""
        return self.start_s + column * self.step_s

    def band(self, row: int) -> tuple[float, float]:
        """From where to where a row goes, in Hz: half the way to its neighbours."""
        here = self.hertz
        if len(here) == 1:
            return here[0], here[0]
        below = here[row] - here[row - 1] if row else here[1] - here[0]
        above = here[row + 1] - here[row] if row + 1 < len(here) else below
        return max(0.0, here[row] - below / 2), here[row] + above / 2

    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """The pieces of time and frequency that say most, with their sums."""
        rows, columns = (_edges(size, most) for size, most in zip(heat.shape, (ROWS, COLUMNS), strict=True))
        pieces = [
            {
                "from_s": max(0.0, self.seconds(left - 0.5)), "to_s": min(self.end_s, self.seconds(right - 0.5)),
                "from_hz": self.band(low)[0], "to_hz": self.band(high - 1)[1],
                "value": float(heat[low:high, left:right].double().sum()),
            }
            for low, high in pairwise(rows)
            for left, right in pairwise(columns)
        ]  # fmt: skip
        strongest = sorted(pieces, key=lambda piece: -abs(piece["value"]))[:MOST]
        return {"channels": list(self.names), "unit": self.unit, "pieces": strongest}


def _edges(size: int, most: int) -> list[int]:
    count = min(size, most)
    return [round(n * size / count) for n in range(count + 1)]
