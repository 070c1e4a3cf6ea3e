"""Removal curves: what the model says of a sample while its regions are removed one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..metric import Answer, Question
from .experiment import READINGS, Ablation, Experiment, Reading, Scheme, experiment
from .order import rank_regions, sizes
from .steps import Steps

Ranks = Sequence[Tensor | None]


@dataclass(frozen=True, eq=False)
class Curve:
    """One sample, from all of it to what is left in the end.

    Arguments:
        counts: How many regions are gone.
        removed: Which share of the places that is, in [0, 1].
        readings: What is read of the model's outputs, with shape (points, 4), see `experiment.readings`.

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
    """The curve of every sample, the most relevant regions going first; what is known already is not computed again.

    Arguments:
        least: Whether the least relevant go first, in the same order backwards.

    Returns:
        None for samples whose map is not finite, or where the run was cancelled.

    Example:
        >>> import pellucid as pl
        >>> from pellucid.target import as_target
        >>> x = torch.tensor([[1.0, 2.0, 4.0]])
        >>> q = pl.metrics.question(pl.load(lambda x: x.sum(1)), x, as_target(lambda out: out))
        >>> scheme = pl.metrics.Scheme(pl.perturb.Entries(), 0.0, pl.metrics.Every(1))
        >>> curves(q, pl.metrics.Answer(x), scheme)[0].read("target").tolist()
        [7.0, 3.0, 1.0, 0.0]
    """
    study = experiment(question, scheme)
    orders = rank_regions(answer, study.parts, scheme.weigh, question.seed)
    orders = backwards(orders) if least else orders
    measure(study, orders, scheme.steps)
    return [curve(study, i, order, scheme.steps) for i, order in enumerate(orders)]


def measure(study: Experiment, orders: Ranks, steps: Steps, ends: str = "most") -> None:
    """Run the model on the points of the curves of all samples at once.

    Arguments:
        orders: Per sample, the ranks of its regions, the most relevant first.
        ends: Which go first: the "most" relevant, the "least", or "both", each in a curve of its own.
    """
    wanted = []
    for sample, order in enumerate(orders):
        if order is not None and ends != "least":
            wanted += ablations(sample, order, steps)
        if order is not None and ends != "most":
            wanted += ablations(sample, reversed_ranks(order), steps)
    study.measure(wanted)


def backwards(orders: Ranks) -> list[Tensor | None]:
    """The same orders from the other end."""
    return [None if order is None else reversed_ranks(order) for order in orders]


def ablations(sample: int, ranks: Tensor, steps: Steps) -> list[Ablation]:
    """The points of a curve."""
    return [Ablation(sample, ranks, count) for count in steps.counts(len(ranks))]


def reversed_ranks(ranks: Tensor) -> Tensor:
    """The order backwards: what goes last goes first."""
    return len(ranks) - 1 - ranks


def curve(experiment: Experiment, sample: int, ranks: Tensor | None, steps: Steps) -> Curve | None:
    """The curve of a sample from what was measured; None without an order, or where some of it was not."""
    if ranks is None:
        return None
    points = ablations(sample, ranks, steps)
    values = experiment.read(points)
    if values is None:
        return None
    counts = tuple(point.gone for point in points)
    return Curve(counts, removed(experiment, sample, ranks, counts), values)


def removed(experiment: Experiment, sample: int, ranks: Tensor, counts: Sequence[int]) -> Tensor:
    """The share of the places that is gone after each number of regions."""
    area = sizes(experiment.parts[sample]).cpu()
    gone = torch.cat([area.new_zeros(1), area[ranks.argsort()].cumsum(0)])
    return gone[list(counts)] / gone[-1]
