"""The best orders: those in which a curve falls fastest and slowest, the bounds of what any map can reach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .experiment import READINGS, Ablation, Experiment, Reading
from .order import sizes

EXACT, GREEDY = 12, 64  # regions: up to so many all their sets are measured; beyond the other, no order is searched for
Order = tuple[Tensor, Tensor]
"""Ranks: of the order in which the curve falls fastest, and of the one in which it holds longest."""


def cost(n: int) -> int | None:
    """How many forward passes the best order of n regions takes; None where that is out of reach.

    Example:
        >>> cost(8), cost(25), cost(1000)
        (254, 648, None)
    """
    return None if n > GREEDY else 2**n - 2 if n <= EXACT else n * (n + 1) - 2


def best_orders(experiment: Experiment, sample: int, reading: Reading) -> Order | None:
    """The best orders of one sample; None where there are too many regions, or the search was called off.

    Up to 12 regions by dynamic programming over all sets of them: no order has a smaller (a greater) area. Beyond that greedily,
    the region that lowers (keeps) the reading most goes next; that is a search, and a better order may exist.
    """
    n = experiment.parts[sample].n
    if n > GREEDY:
        return None
    search = _exact if n <= EXACT else _greedy
    key = ("oracle", id(experiment), sample, reading)
    return experiment.question.remembered(key, lambda: search(experiment, sample, reading))


def _exact(experiment: Experiment, sample: int, reading: Reading) -> Order | None:
    n = experiment.parts[sample].n
    members = (torch.arange(2**n)[:, None] >> torch.arange(n)) & 1
    sets = [_ablation(sample, row.bool()) for row in members]
    experiment.measure(sets)
    values = experiment.read(sets)
    if values is None:
        return None
    f = values[:, READINGS.index(reading)].numpy()
    area = sizes(experiment.parts[sample]).cpu().numpy()
    return _chain(f, area, np.minimum), _chain(f, area, np.maximum)


def _chain(f: NDArray[np.float64], area: NDArray[np.float64], better: Callable[..., NDArray[np.float64]]) -> Tensor:
    """The ranks of the order whose curve has the least (the greatest) area, from the value of every set of regions.

    The best way to a set comes through one of the sets that lack one of its regions: the area up to there, and a trapezoid.
    """
    n, every = len(area), np.arange(len(f))
    best = np.where(every, -np.inf if better is np.maximum else np.inf, 0.0)
    last = np.zeros(len(f), dtype=np.int64)
    members = np.array([int(s).bit_count() for s in every])
    for size in range(1, n + 1):
        layer = every[members == size]
        for region in range(n):
            ours = layer[(layer >> region) & 1 == 1]
            before = ours ^ (1 << region)
            way = best[before] + area[region] * (f[before] + f[ours]) / 2
            improves = better(way, best[ours]) != best[ours]
            best[ours[improves]], last[ours[improves]] = way[improves], region
    ranks, at = torch.zeros(n, dtype=torch.long), len(f) - 1
    for rank in reversed(range(n)):
        ranks[last[at]] = rank
        at ^= 1 << int(last[at])
    return ranks


def _greedy(experiment: Experiment, sample: int, reading: Reading) -> Order | None:
    falls, holds = (_search(experiment, sample, reading, sign) for sign in (1, -1))
    return None if falls is None or holds is None else (falls, holds)


def _search(experiment: Experiment, sample: int, reading: Reading, sign: int) -> Tensor | None:
    """The next region is the one after which the reading, times the sign, is least; the first of equals."""
    n = experiment.parts[sample].n
    gone, ranks = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.long)
    for rank in range(n):
        left = (~gone).nonzero()[:, 0].tolist()
        sets = [_ablation(sample, gone | (torch.arange(n) == region)) for region in left]
        experiment.measure(sets)
        found = experiment.read(sets)
        if found is None:
            return None
        values = (sign * found[:, READINGS.index(reading)]).tolist()
        region = left[values.index(min(values))]
        gone[region], ranks[region] = True, rank
    return ranks


def _ablation(sample: int, absent: Tensor) -> Ablation:
    """A sample without a set of regions."""
    n, count = len(absent), int(absent.sum())
    return Ablation(sample, (~absent).long(), 1) if 0 < count < n else Ablation(sample, torch.arange(n), count)
