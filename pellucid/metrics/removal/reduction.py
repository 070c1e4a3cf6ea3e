"""Reduction: a metric that is one number of a removal curve, or of two. Adding one: subclass, implement `reduce`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..metric import Answer, Need, Question, Scores
from .curve import Curve, curve, lacks, reversed_ranks
from .experiment import Experiment, Reading, Scheme, experiment
from .order import asked

Ranks = Sequence[Tensor | None]


@dataclass(frozen=True, eq=False)
class Removed:
    """The curves of one sample.

    Arguments:
        most: With the most relevant regions going first; None where the metric does not ask for it.
        least: With the least relevant going first.
        chance: The area under curves of random orders; NaN where the metric does not ask for it.
    """

    most: Curve | None
    least: Curve | None
    chance: float = torch.nan

    @property
    def falling(self) -> Curve:
        assert self.most is not None
        return self.most

    @property
    def holding(self) -> Curve:
        assert self.least is not None
        return self.least


@dataclass(frozen=True)
class Reduction(ABC):
    """A number that is read off a removal curve.

    Every curve is shared: whoever asks for the same parts of the same sample gets the same answer, and the model is asked once.

    Arguments:
        scheme: How parts are taken away.
        reading: What is read of the model's answers: "target", "probability" of the class that is judged, or "kept", whether it
            still is the predicted one.
    """

    needs: ClassVar[Need] = "model"
    ends: ClassVar[str] = "most"  # "least", or "both": which regions go first
    relative: ClassVar[bool] = False  # whether it is told relative to random orders

    scheme: Scheme
    reading: Reading

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def higher(self) -> bool: ...

    @abstractmethod
    def reduce(self, found: Removed) -> float:
        """The number, of one sample."""

    def score(self, question: Question, answer: Answer) -> Scores:
        """The number per sample, with what random orders and the best order reach."""
        from .calibration import calibration  # it reduces the same curves, of other orders

        study = experiment(question, self.scheme)
        before = study.forwards
        orders = asked(answer, study.parts, self.scheme.weigh, question.seed)
        learn(self, study, orders)
        known = question.remembered(("calibration", self), lambda: calibration(self, study))
        values = numbers(self, study, orders, backwards(orders), known.chance)
        notes = (*_notes(self, question), *known.notes)
        return Scores(values, study.forwards - before, known.floor, known.ceiling, known.reliability, notes)


def learn(metric: Reduction, study: Experiment, orders: Ranks, *, both: bool = False) -> None:
    """Ask for the points of the curves of all samples at once; at both ends, or at those that the metric is about."""
    wanted = []
    for sample, order in enumerate(orders):
        if order is not None and (both or metric.ends != "least"):
            wanted += lacks(sample, order, metric.scheme.steps)
        if order is not None and (both or metric.ends != "most"):
            wanted += lacks(sample, reversed_ranks(order), metric.scheme.steps)
    study.ask(wanted)


def numbers(metric: Reduction, study: Experiment, most: Ranks, least: Ranks, chance: Sequence[float]) -> Tensor:
    """The number of every sample, from what is known; NaN where there is no order, or it was not asked about.

    Arguments:
        most, least: The orders that begin with the most and the least relevant regions.
        chance: The area under curves of random orders, per sample.
    """
    values = []
    for sample, (first, other, area) in enumerate(zip(most, least, chance, strict=True)):
        falling = curve(study, sample, first, metric.scheme.steps) if metric.ends != "least" else None
        holding = curve(study, sample, other, metric.scheme.steps) if metric.ends != "most" else None
        there = (metric.ends == "least" or falling is not None) and (metric.ends == "most" or holding is not None)
        values.append(metric.reduce(Removed(falling, holding, area)) if there else torch.nan)
    return torch.tensor(values, dtype=torch.float64)


def backwards(orders: Ranks) -> Ranks:
    """The same orders from the other end."""
    return [None if order is None else reversed_ranks(order) for order in orders]


def _notes(metric: Reduction, question: Question) -> tuple[str, ...]:
    if question.classes is None and metric.reading == "probability":
        return ("The output has no classes, so the target itself is read in place of a probability.",)
    return ()
