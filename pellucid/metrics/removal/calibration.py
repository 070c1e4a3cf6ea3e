"""Calibration: what a number of a removal curve is worth, told by random orders and by the best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .curve import Curve, curve
from .experiment import Experiment
from .oracle import cost, oracle
from .order import by_chance
from .reduction import Ranks, Reduction, backwards, learn, numbers

AFFORDABLE = 2_000  # forward passes for the best orders of all samples together, where nobody asked for them
COARSE = 40  # points: of curves with no more, two random orders are taken, and else one; each forwards and backwards


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the number of a metric is compared with; it does not depend on any map.

    Arguments:
        chance: The mean area under the curves of random orders, per sample; NaN where they were not asked for.
        floor: The number of random orders, each taken forwards and backwards.
        ceiling: The number of the best orders, each end of the curve having its own.
        reliability: R-OMS, the area under the model's confidence, its greatest probability, while regions go by chance. Where it
            is low the imputer leaves pictures the model does not know, and differences between methods say less.
        notes: Why something is missing.

    References: R-OMS: Bluecher et al., 2024, https://doi.org/10.48550/arXiv.2401.06654
    """

    chance: list[float]
    floor: Tensor | None = None
    ceiling: Tensor | None = None
    reliability: Tensor | None = None
    notes: tuple[str, ...] = ()


def calibration(metric: Reduction, study: Experiment) -> Calibration:
    """What random orders and, where it can be had, the best order reach."""
    question, samples = study.question, range(len(study.parts))
    orders = _by_chance(metric, study) if question.floor or metric.relative else []
    for order in orders:
        learn(metric, study, order, both=True)
    curves = [_curves(metric, study, orders, sample) for sample in samples]
    chance = [_mean([one.area(metric.reading) for one in found]) for found in curves]
    floor = reliability = None
    if question.floor:
        ways = [way for order in orders for way in ((order, backwards(order)), (backwards(order), order))]
        floor = torch.stack([numbers(metric, study, most, least, chance) for most, least in ways]).mean(0)
        reliability = torch.tensor([_mean([one.area("confidence") for one in found]) for found in curves], dtype=torch.float64)
    ceiling, notes = _ceiling(metric, study, chance)
    return Calibration(chance, floor, ceiling, reliability, notes)


def _by_chance(metric: Reduction, study: Experiment) -> list[Ranks]:
    """Random orders, the same for every sample with as many regions."""
    points = max(len(metric.scheme.steps.counts(part.n)) for part in study.parts)
    seed = study.question.seed
    return [[by_chance(part.n, seed, number) for part in study.parts] for number in range(2 if points <= COARSE else 1)]


def _curves(metric: Reduction, study: Experiment, orders: Sequence[Ranks], sample: int) -> list[Curve]:
    ways = [way[sample] for order in orders for way in (order, backwards(order))]
    found = (curve(study, sample, way, metric.scheme.steps) for way in ways)
    return [one for one in found if one is not None]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else torch.nan


def _ceiling(metric: Reduction, study: Experiment, chance: Sequence[float]) -> tuple[Tensor | None, tuple[str, ...]]:
    """What the best orders reach, and why there is none."""
    wanted, costs = study.question.ceiling, [cost(part.n) for part in study.parts]
    if wanted is False:
        return None, ()
    if None in costs:
        return None, ("A best order is not searched for among so many regions.",)
    needed = study.draws * sum(one for one in costs if one is not None)
    if wanted is None and needed > AFFORDABLE:
        return None, (f"The best order would take up to {needed:,} forward passes; ceiling=True asks for it.",)
    best = [oracle(study, sample, metric.reading) for sample in range(len(study.parts))]
    most, least = ([None if order is None else order[end] for order in best] for end in (0, 1))
    return numbers(metric, study, most, least, chance), ()
