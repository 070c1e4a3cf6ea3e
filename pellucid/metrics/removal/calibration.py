"""Calibration of removal metrics: the scores of random orders and of the best order, with which a score is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .curve import Curve, Ranks, backwards, curve, measure
from .experiment import Experiment, Reading
from .oracle import best_orders, cost
from .order import by_chance
from .steps import Steps

Reduce = Callable[[Ranks, Ranks, Sequence[float]], Tensor]
"""The number of every sample, with shape (sample,), of curves measured before: from the orders of their regions, the most and the
least relevant first, and the area under curves of random orders."""

AFFORDABLE = 2_000  # forward passes for the best orders of all samples together, unless they are asked for
COARSE = 40  # points: of curves with no more, two random orders are taken, and else one; each forwards and backwards


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the number of a metric is compared with; it does not depend on any map.

    Arguments:
        chance: The mean area under the curves of random orders, per sample; NaN where these were not run.
        floor: The number of random orders, each taken forwards and backwards.
        ceiling: The number of the best orders, each end of the curve having its own.
        reliability: R-OMS, the area under the model's confidence, its greatest probability, while regions are removed at random.
            Where it is low the imputer leaves pictures unlike those the model knows, and differences between methods say less.
        notes: Why something is missing.

    References: R-OMS: Bluecher et al., 2024, https://doi.org/10.48550/arXiv.2401.06654
    """

    chance: list[float]
    floor: Tensor | None = None
    ceiling: Tensor | None = None
    reliability: Tensor | None = None
    notes: tuple[str, ...] = ()


def calibration(study: Experiment, steps: Steps, reading: Reading, reduce: Reduce, *, relative: bool = False) -> Calibration:
    """What random orders and, where it can be found, the best order reach.

    Arguments:
        steps, reading: Of the metric.
        reduce: The metric's numbers, of any orders.
        relative: Whether they need the area under curves of random orders.
    """
    question, samples = study.question, range(len(study.parts))
    orders = _by_chance(study, steps) if question.floor or relative else []
    for order in orders:
        measure(study, order, steps, "both")
    curves = [_curves(study, steps, orders, sample) for sample in samples]
    chance = [_mean([one.area(reading) for one in found]) for found in curves]
    floor = reliability = None
    if question.floor:
        ways = [way for order in orders for way in ((order, backwards(order)), (backwards(order), order))]
        floor = torch.stack([reduce(most, least, chance) for most, least in ways]).mean(0)
        reliability = torch.tensor([_mean([one.area("confidence") for one in found]) for found in curves], dtype=torch.float64)
    best, notes = _best(study, reading)
    ceiling = None if best is None else reduce(*best, chance)
    return Calibration(chance, floor, ceiling, reliability, notes)


def _by_chance(study: Experiment, steps: Steps) -> list[Ranks]:
    """Random orders, the same for every sample with as many regions."""
    points = max(len(steps.counts(part.n)) for part in study.parts)
    seed = study.question.seed
    return [[by_chance(part.n, seed, number) for part in study.parts] for number in range(2 if points <= COARSE else 1)]


def _curves(study: Experiment, steps: Steps, orders: Sequence[Ranks], sample: int) -> list[Curve]:
    ways = [way[sample] for order in orders for way in (order, backwards(order))]
    found = (curve(study, sample, way, steps) for way in ways)
    return [one for one in found if one is not None]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else torch.nan


def _best(study: Experiment, reading: Reading) -> tuple[tuple[Ranks, Ranks] | None, tuple[str, ...]]:
    """The best orders, each end of the curve having its own, and why there are none."""
    ceiling, costs = study.question.ceiling, [cost(part.n) for part in study.parts]
    if ceiling is False:
        return None, ()
    if None in costs:
        return None, ("There are too many regions to search for the best order.",)
    needed = study.draws * sum(one for one in costs if one is not None)
    if ceiling is None and needed > AFFORDABLE:
        return None, (f"The best order would take up to {needed:,} forward passes; ceiling=True computes it.",)
    best = [best_orders(study, sample, reading) for sample in range(len(study.parts))]
    most, least = ([None if order is None else order[end] for order in best] for end in (0, 1))
    return (most, least), ()
