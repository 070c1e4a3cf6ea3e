"""The published schedule of multifaceted pictures: phases with denoising after each step, at last only in the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from ..canvas import Pixel
from ..optimize.step_rules import Normalised
from ..optimize.task import Plan, Task
from ..prior.centre import Inside
from ..prior.denoise import UNITS, Denoise
from ..protocols import Projection
from ..robust import Robust

SIDE = 227  # pixels a side of the pictures that the schedule was published for
LIGHT = Pixel(level=175 / UNITS, noise=8 / UNITS)  # the noise about light grey that pictures without a mean start from


@dataclass(frozen=True)
class Phase:
    """One phase of the schedule.

    Arguments:
        zoom: How many times the picture is larger than the crop that the network is shown.
        window: The standard deviation of the crop's place, as a share of how far it can move.
        steps: How many.
        rate, slower: The mean change of an entry at the first and after the last step, on the scale 0..255.
        weight, weaker: That of the denoising, at the first and at the last step; a small one denoises much.
        margin: The margin that is not changed, as a share of the side.
        probable: Whether a class is maximized by its log-probability, which falls with the scores of others, or by its score.
    """

    zoom: float
    window: float
    steps: int
    rate: float
    slower: float
    weight: float
    weaker: float
    margin: float = 0.0
    probable: bool = False

    def plan(self, task: Task) -> Plan:
        """The plan of this phase."""
        ascent = Normalised(self.rate / UNITS, schedule="linear", end=self.slower / UNITS)
        if not task.frame.spatial:
            return Plan(LIGHT, ascent, self.steps)
        size = SIDE / math.prod(task.frame.spatial) ** (1 / len(task.frame.spatial))
        priors: tuple[Projection, ...] = (Denoise(size * self.weight, size * self.weaker, self.steps),)
        priors = (Inside(self.margin), *priors) if self.margin else priors
        crop = 1 / self.zoom
        robust = Robust(crop=crop, centre_spread=self.window * (1 - crop), edge="border") if self.zoom > 1 else None
        return Plan(LIGHT, ascent, self.steps, priors, robust)


FROM_MEAN = (
    Phase(1.0, 0.3, 190, 1, 2, 0.4, 0.4),
    Phase(1.2, 0.3, 150, 1, 1, 0.01, 2),
    Phase(1.0, 0.2, 20, 2, 2, 0.1, 2, 50 / SIDE),
    Phase(1.0, 0.3, 10, 2, 2, 0.4, 2),
)
FROM_NOISE = (
    Phase(1.0, 0.3, 190, 11, 11, 0.001, 0.05, probable=True),
    Phase(1.2, 0.3, 150, 6, 6, 0.01, 0.08, probable=True),
    Phase(1.2, 0.3, 150, 1, 1, 0.01, 2),
    Phase(1.2, 0.1, 30, 3, 3, 0.1, 2, 50 / SIDE),
    Phase(1.0, 0.3, 10, 6, 3, 0.01, 2),
)


def rescaled(phases: tuple[Phase, ...], steps: int | None) -> tuple[Phase, ...]:
    """The phases with so many steps together, each with its share of them."""
    if steps is None:
        return phases
    total, ends, before = sum(phase.steps for phase in phases), [0], 0
    for phase in phases:
        before += phase.steps
        ends.append(round(steps * before / total))
    lengths = [b - a for a, b in pairwise(ends)]
    return tuple(replace(phase, steps=n) for phase, n in zip(phases, lengths, strict=True) if n)
