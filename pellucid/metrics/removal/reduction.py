"""Reduction: a metric that is one number of one or two removal curves. To add one, subclass it and implement `reduce`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from ..metric import Answer, Need, Question, Scores
from .calibration import Calibration, calibration
from .curve import Curve, Ranks, backwards, curve, measure
from .experiment import Experiment, Reading, Scheme, experiment
from .order import rank_regions


@dataclass(frozen=True, eq=False)
class Removed:
    """The curves of one sample.

    Arguments:
        most: With the most relevant regions going first; None where the metric does not need it.
        least: With the least relevant going first.
        chance: The area under curves of random orders; NaN where the metric is not `relative` to it.
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

    Curves are shared: metrics and methods that remove the same regions of a sample run the model once.

    Arguments:
        scheme: How regions are removed.
        reading: What is read of the model's outputs: "target", "probability" of the class that is judged, or "kept", whether it
            still is the predicted one.
    """

    name: ClassVar[str]
    higher: ClassVar[bool] = True
    needs: ClassVar[Need] = "model"
    ends: ClassVar[str] = "most"  # "least", or "both": which regions go first
    relative: ClassVar[bool] = False  # whether it is relative to random orders

    scheme: Scheme
    reading: Reading = "probability"

    @abstractmethod
    def reduce(self, found: Removed) -> float:
        """The number, of one sample."""

    def score(self, question: Question, answer: Answer) -> Scores:
        """The number per sample, with what random orders and the best order reach."""
        study = experiment(question, self.scheme)
        before = study.forwards
        orders = rank_regions(answer, study.parts, self.scheme.weigh, question.seed)
        measure(study, orders, self.scheme.steps, self.ends)
        known = question.remembered(("calibration", self), lambda: self.calibrate(study))
        values = reduce_all(self, study, orders, backwards(orders), known.chance)
        note = "The output has no classes, so the target itself is read instead of a probability."
        notes = known.notes
        notes = (note, *notes) if question.classes is None and self.reading == "probability" else notes
        return Scores(values, study.forwards - before, known.floor, known.ceiling, known.reliability, notes)

    def calibrate(self, study: Experiment) -> Calibration:
        """What random orders and the best order reach by it."""
        return calibration(study, self.scheme.steps, self.reading, partial(reduce_all, self, study), relative=self.relative)


def reduce_all(metric: Reduction, study: Experiment, most: Ranks, least: Ranks, chance: Sequence[float]) -> Tensor:
    """The number of every sample, with shape (sample,), double, from what was measured; NaN where there is no order or curve.

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
