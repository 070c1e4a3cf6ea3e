"""Confidence intervals of a mean over samples, and the paired comparison of two methods."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVEL, DRAWS = 0.95, 2_000
EXACT = 12  # samples: up to so many all assignments of signs are gone through


def interval(values: Tensor, *, seed: int = 0, level: float = LEVEL, draws: int = DRAWS) -> tuple[float, float]:
    """Where the mean of all such samples lies with a probability of `level`, by the bootstrap.

    The ends are percentiles of the means of samples drawn anew from these. Samples that are NaN are left out. One sample tells
    nothing of others: then both ends are NaN.

    References: Bootstrap methods: another look at the jackknife (Efron, 1979), https://doi.org/10.1214/aos/1176344552

    Example:
        >>> interval(torch.tensor([1.0, 1.0, 1.0])), interval(torch.tensor([1.0]))
        ((1.0, 1.0), (nan, nan))
    """
    known = values[~values.isnan()].double().cpu()
    if len(known) < 2:
        return torch.nan, torch.nan
    rng = torch.Generator().manual_seed(seed)
    means = known[torch.randint(len(known), (draws, len(known)), generator=rng)].mean(1)
    low, high = torch.quantile(means, torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)).tolist()
    return low, high


@dataclass(frozen=True)
class Paired:
    """How two methods differ on the same samples.

    Arguments:
        difference: Mean of the first minus mean of the second.
        low, high: The 95 % interval of the difference.
        p: How often a difference as large comes about where the two are exchangeable; small where they are not.
        n: How many samples both have a score for.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0, and chance would seldom do as much; of fewer than 6 samples it always may."""
        return (self.low > 0 or self.high < 0) and self.p < 1 - LEVEL


def paired(first: Tensor, second: Tensor, *, seed: int = 0) -> Paired:
    """Two methods on the same samples: the bootstrap interval of their difference, and the test of changed signs.

    If the methods are exchangeable, each sample's difference may as well have the other sign: p is the share of all assignments
    of signs (of 10,000 drawn ones, for more than 12 samples) that make the mean as large.

    References: Fisher, 1935, The design of experiments; Efron, 1979, https://doi.org/10.1214/aos/1176344552

    Example:
        >>> paired(torch.tensor([3.0, 2.0, 4.0]), torch.tensor([1.0, 1.0, 1.0])).p  # 2 of 8
        0.25
    """
    d = (first - second).double().cpu()
    d = d[~d.isnan()]
    if not len(d):
        return Paired(torch.nan, torch.nan, torch.nan, torch.nan, 0)
    low, high = interval(d, seed=seed)
    means = np.abs(_signs(len(d), seed) @ d.numpy()) / len(d)
    mean = float(d.mean())
    as_large = means >= abs(mean) - 1e-12 * max(1.0, abs(mean))
    drawn = len(d) > EXACT  # then the assignment that was seen counts as one of them
    return Paired(mean, low, high, float((as_large.sum() + drawn) / (len(means) + drawn)), len(d))


def _signs(n: int, seed: int) -> NDArray[np.float64]:
    """All assignments of signs, or some."""
    if n <= EXACT:
        return np.array(list(product((1.0, -1.0), repeat=n)))
    rng = torch.Generator().manual_seed(seed)
    drawn: NDArray[np.float64] = (2 * torch.randint(2, (10_000, n), generator=rng).double() - 1).numpy()
    return drawn
