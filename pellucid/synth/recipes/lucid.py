"""Feature visualization: pictures told by frequencies, whose score survives being moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..canvas import Fourier
from ..optimize.ascent import Adam
from ..optimize.task import Plan, Task
from ..robust import Robust
from .base import PlannedRecipe


@dataclass(frozen=True)
class Lucid(PlannedRecipe):
    """The picture that scores highest however it is jittered, scaled and rotated, told by its frequencies in independent colours.

    Both the canvas and the changes keep it from becoming noise: the one makes smooth directions as steep as rough ones, the
    others take away what only holds at one place of the grid.

    References: Olah, Mordvintsev and Schubert, 2017, Feature visualization, https://doi.org/10.23915/distill.00007, with the
        settings of its code, Lucid: Adam with 0.05, 512 steps, jitter, scale and angles as in `Robust.standard`.

    Arguments:
        rate, steps: Of Adam.
        views: How many changed versions are looked at in each step; Lucid has one.
    """

    rate: float = 0.05
    steps: int = 512
    views: int = 1
    name: ClassVar[str] = "lucid"

    def plan(self, task: Task) -> Plan:
        return Plan(Fourier(), Adam(self.rate), self.steps, robust=Robust.standard(self.views))
