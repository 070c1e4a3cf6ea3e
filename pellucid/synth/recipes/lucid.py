"""Lucid: feature visualization with a Fourier canvas, and random transformations in each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..canvas import Fourier
from ..maximized import PlannedRecipe
from ..optimize.step_rules import Adam
from ..optimize.task import Plan, Task
from ..robust import Robust


@dataclass(frozen=True)
class Lucid(PlannedRecipe):
    """The picture with the highest score under jitter, scaling and rotation, parameterised by frequencies in independent colours.

    Both keep it from becoming noise: the canvas makes smooth directions as steep as rough ones, and the transformations remove
    patterns that work at one place of the grid only.

    References: Olah, Mordvintsev and Schubert, 2017, Feature visualization, https://doi.org/10.23915/distill.00007, with the
        settings of its code, Lucid: Adam with 0.05, 512 steps, jitter, scale and angles as in `Robust.standard`.

    Arguments:
        rate, steps: Of Adam.
        views: How many transformed versions are scored in each step; Lucid has one.
    """

    rate: float = 0.05
    steps: int = 512
    views: int = 1
    name: ClassVar[str] = "lucid"

    def plan(self, task: Task) -> Plan:
        return Plan(Fourier(), Adam(self.rate), self.steps, robust=Robust.standard(self.views))
