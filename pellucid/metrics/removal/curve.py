"""Curve: what the model says of a sample while its parts are taken away one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..metric import Answer, Question
from .experiment import READINGS, Experiment, Lack, Reading, Scheme, experiment
from .order import asked, sizes
from .steps import Steps


@dataclass(frozen=True, eq=False)
class Curve:
    """One sample, from all of it to what is left in the end.

    Arguments:
        counts: How many regions are gone.
        removed: Which share of the places that is, in [0, 1].
        readings: What is read of the model's answers, with shape (points, 4), see `readings`.

    Example:
        >>> falling = Curve((0, 1, 2), torch.tensor([0.0, 0.25, 1.0]), torch.tensor([[1.0] * 4, [0.5] * 4, [0.0] * 4]))
        >>> falling.area("target")  # 0.25 x 0.75 + 0.75 x 0.25
        0.375
    """

    counts: tuple[int, ...]
    removed: Tensor
    readings: Tensor

    def read(self, reading: Reading) -> Tensor:
        """One of the readings, with shape (points,)."""
        return self.readings[:, READINGS.index(reading)]

    def area(self, reading: Reading) -> float:
        """The mean height over the share of places that is removed: trapezoids between the points, over the range they span."""
        return mean_height(self.removed, self.read(reading))


def mean_height(x: Tensor, y: Tensor) -> float:
    """The integral over the range, by trapezoids, divided by the range.

    Example:
        >>> mean_height(torch.tensor([0.0, 1.0, 4.0]), torch.tensor([1.0, 0.0, 0.0]))
        0.125
    """
    return float(torch.trapezoid(y, x) / (x[-1] - x[0]))


def curves(question: Question, answer: Answer, scheme: Scheme, *, least: bool = False) -> list[Curve | None]:
    """The curve of every sample, the most relevant regions going first; what is known already is not asked again.

    Arguments:
        least: Whether the least relevant go first, in the same order backwards.

    Returns:
        None for samples whose map is not finite, or that were called off.

    Example:
        >>> import pellucid as pl
        >>> from pellucid.target import as_target
        >>> x = torch.tensor([[1.0, 2.0, 4.0]])
        >>> asked = pl.metrics.question(pl.load(lambda x: x.sum(1)), x, as_target(lambda out: out))
        >>> scheme = pl.metrics.Scheme(pl.perturb.Entries(), 0.0, pl.metrics.Every(1))
        >>> curves(asked, pl.metrics.Answer(x), scheme)[0].read("target").tolist()
        [7.0, 3.0, 1.0, 0.0]
    """
    study = experiment(question, scheme)
    orders = asked(answer, study.parts, scheme.weigh, question.seed)
    orders = [None if order is None else reversed_ranks(order) for order in orders] if least else orders
    study.ask([lack for i, order in enumerate(orders) if order is not None for lack in lacks(i, order, scheme.steps)])
    return [curve(study, i, order, scheme.steps) for i, order in enumerate(orders)]


def lacks(sample: int, ranks: Tensor, steps: Steps) -> list[Lack]:
    """The points of a curve as questions."""
    return [Lack(sample, ranks, count) for count in steps.counts(len(ranks))]


def reversed_ranks(ranks: Tensor) -> Tensor:
    """The order backwards: what goes last goes first."""
    return len(ranks) - 1 - ranks


def curve(experiment: Experiment, sample: int, ranks: Tensor | None, steps: Steps) -> Curve | None:
    """The curve of a sample from what is known; None without an order, or where some of it was not asked."""
    if ranks is None:
        return None
    points = lacks(sample, ranks, steps)
    told = [found for found in map(experiment.told, points) if found is not None]
    if len(told) < len(points):
        return None
    counts = tuple(point.gone for point in points)
    return Curve(counts, removed(experiment, sample, ranks, counts), torch.stack(told))


def removed(experiment: Experiment, sample: int, ranks: Tensor, counts: Sequence[int]) -> Tensor:
    """The share of the places that is gone after each number of regions."""
    area = sizes(experiment.parts[sample]).cpu()
    gone = torch.cat([area.new_zeros(1), area[ranks.argsort()].cumsum(0)])
    return gone[list(counts)] / gone[-1]
