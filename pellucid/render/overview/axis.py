"""Axes of charts: lines at round numbers with the numbers below, or at the left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..parts.drawing import Line, Mark, Words
from ..parts.palette import FAINT, HAIR
from ..parts.ticks import spread
from ..parts.time_axis import ticks

ROOM = 0.04  # of the span, beyond the outermost values


@dataclass(frozen=True)
class Axis:
    """From which value at which pixel to which at which.

    Example:
        >>> Axis(0.0, 10.0, 100.0, 200.0).at(5.0)
        150.0
    """

    low: float
    high: float
    start: float
    stop: float

    @staticmethod
    def over(values: Iterable[float], start: float, stop: float, *, zero: bool = True) -> Axis:
        """An axis on which all finite values have room; with `zero`, zero too."""
        known = [float(value) for value in values if np.isfinite(value)] + ([0.0] if zero else [])
        low, high = min(known, default=0.0), max(known, default=1.0)
        span = high - low or abs(high) or 1.0
        return Axis(low - ROOM * span * (not zero or low < 0), high + ROOM * span * (not zero or high > 0), start, stop)

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        return ticks(self.low, self.high)

    def below(self, top: float, bottom: float, words: str = "") -> list[Mark]:
        """A horizontal axis: lines from top to bottom, numbers below; and below these what they are."""
        marks: list[Mark] = [_line(self.at(tick), top, bottom, zero=tick == 0) for tick in self.ticks]
        marks += [Words(self.at(tick), bottom + 18, f"{tick:.6g}", 13, FAINT, "m") for tick in spread(self.ticks, self.at)]
        return [*marks, Words((self.start + self.stop) / 2, bottom + 36, words, 13, FAINT, "m")] if words else marks

    def beside(self, left: float, right: float) -> list[Mark]:
        """A vertical axis: lines from left to right, numbers at the left."""
        marks: list[Mark] = []
        for tick in self.ticks:
            y = self.at(tick)
            marks += [
                Line(((left, y), (right, y)), FAINT if tick == 0 else HAIR),
                Words(left - 8, y + 4, f"{tick:.6g}", 13, FAINT, "r"),
            ]
        return marks


def _line(x: float, top: float, bottom: float, *, zero: bool) -> Line:
    return Line(((x, top), (x, bottom)), FAINT if zero else HAIR)
