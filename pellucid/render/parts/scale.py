"""How strong a value is painted: the scale of a map, where it is from, and what it clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.core.numbers import figure
from pellucid.errors import InputError

Heat = NDArray[np.float64]
PERCENTILE = 99.5


@dataclass(frozen=True)
class Scale:
    """The value painted at full strength, and where it is from.

    Arguments:
        limit: Values at or beyond +-limit are painted at full strength.
        origin: Where the limit is from, in words.
    """

    limit: float
    origin: str

    def strength(self, heat: Heat) -> Heat:
        """Values over the limit, clipped to [-1, 1]."""
        return np.clip(heat / self.limit, -1, 1)

    def clipped(self, heat: Heat) -> str:
        """The share of `heat` beyond the scale, in words; "nothing" if there is none."""
        beyond = float((np.abs(heat) > self.limit).mean())
        return "nothing" if not beyond else f"{100 * beyond:.1f} %" if beyond >= 5e-4 else "less than 0.1 %"

    def short(self, heat: Heat, *, signed: bool) -> str:
        """The scale, and how much of `heat` it clips, for a line in a terminal."""
        return f"full at {'±' if signed else ''}{figure(self.limit)} · {self.clipped(heat)} clipped"

    def sentence(self, heat: Heat, *, signed: bool, end: str = "Full colour") -> str:
        """What the scale is, where it is from, and how much of `heat` it clips."""
        scale = f"{end} at {'±' if signed else ''}{figure(self.limit)} ({self.origin})"
        clipped, largest = self.clipped(heat), figure(float(np.abs(heat).max()))
        if clipped == "nothing":
            return f"{scale}; nothing is clipped."
        return f"{scale}; {clipped} of the values lie beyond and are clipped, the largest is {largest}."


def each(heat: Heat, percentile: float = PERCENTILE) -> Scale:
    """This map's own scale: a few outliers do not make everything else pale."""
    return of_sizes(np.abs(heat), percentile, "")


def shared(heats: list[Heat], percentile: float = PERCENTILE) -> Scale:
    """One scale for several maps of one method, so that they can be compared; broken maps have no say."""
    whole = [np.abs(heat).ravel() for heat in heats if np.isfinite(heat).all()]
    return of_sizes(np.concatenate(whole or [np.ones(1)]), percentile, ", shared by all samples")


def fixed(limit: float) -> Scale:
    """A scale the reader chose."""
    if not limit > 0:
        raise InputError(f"scale={limit}", f"{limit}", "a fixed scale is a positive number", 'Give one, or "each".')
    return Scale(limit, "fixed")


def of_sizes(sizes: Heat, percentile: float, suffix: str) -> Scale:
    """The percentile of sizes; of maps that are nothing almost everywhere, the largest, or noise would fill the picture."""
    limit, largest = float(np.percentile(sizes, percentile)), float(sizes.max())
    if percentile < 100 and limit > 1e-6 * largest:
        return Scale(limit, f"the {percentile:g}th percentile of |value|{suffix}")
    return Scale(largest or 1.0, f"the largest |value|{suffix}")
