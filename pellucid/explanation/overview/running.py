"""Means and their confidence intervals, collected value by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Z = 1.959964  # of a normal distribution 95 % lie within so many standard deviations
SMALL = {1: 12.7062, 2: 4.3027}  # the same of Student's distributions of 1 and 2 degrees of freedom


class Interval(NamedTuple):
    """A mean, and where the mean of all such samples lies with 95 % probability; NaN where one sample says nothing of others."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Running:
    """What is known of the mean of some quantities: `mean` and `spread`, the sum of squared distances from it, have their shape.

    References: Updating formulae and a pairwise algorithm for computing sample variances (Chan et al., 1979),
    http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf

    Example:
        >>> Running.of(np.array([1.0, 2.0])).add(np.array([3.0])).interval().mean
        2.0
    """

    n: int
    mean: Numbers
    spread: Numbers

    @staticmethod
    def of(values: Numbers) -> Running:
        """Of samples along the first axis."""
        mean = values.mean(0)
        return Running(len(values), mean, np.square(values - mean).sum(0))

    def add(self, values: Numbers) -> Running:
        """With more samples."""
        other = Running.of(values)
        n, apart = self.n + other.n, other.mean - self.mean
        mean = self.mean + apart * other.n / n
        return Running(n, mean, self.spread + other.spread + np.square(apart) * self.n * other.n / n)

    @property
    def reach(self) -> Numbers:
        """How far the 95 % interval reaches to either side of the mean, by Student's distribution."""
        if self.n < 2:
            return np.full_like(self.mean, np.nan)
        return student(self.n - 1) * np.sqrt(self.spread / (self.n - 1) / self.n)

    def interval(self, *place: int) -> Interval:
        """The mean at one place, with its interval."""
        mean, reach = float(self.mean[place]), float(self.reach[place])
        return Interval(mean, mean - reach, mean + reach)


def student(freedom: int) -> float:
    """Within how many standard errors 95 % of Student's distribution lie, to a thousandth.

    References: Handbook of mathematical functions (Abramowitz and Stegun, 1964), 26.7.5

    Example:
        >>> round(student(4), 2), round(student(1000), 2)
        (2.78, 1.96)
    """
    if freedom in SMALL:
        return SMALL[freedom]
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160,
    )
    return Z + sum((term / float(freedom) ** power for power, term in enumerate(terms, start=1)), 0.0)
