"""Caricatures: pictures from noise whose features at a layer are those of a given picture, exaggerated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pellucid.target import Target
from ..canvas import Fourier
from ..maximized import Maximized, maximized
from ..optimize.feature_matching import Likeness, layers, reference_activations, references, with_reference
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.result import OptimizationResult, per_image
from ..optimize.step_rules import Adam
from ..optimize.task import Plan, Task
from ..robust import Robust


@dataclass(frozen=True)
class Caricature:
    """A picture with the features of a given one at a layer, exaggerated: argmax <F(x), F(x0)> max(0.1, cos)^power.

    It starts from noise, and both pictures are jittered, scaled and rotated alike. The layer is the one the target reads, such
    as `pl.energy("features.3")`, or `at`. The given picture is `start=`, or one of `data=`, the one whose number is the seed.
    The result is scored by the target itself; its trace is of the likeness.

    References: Olah et al., 2018, The building blocks of interpretability, https://doi.org/10.23915/distill.00010, with the
        settings of Lucid: 512 steps of Adam with 0.05, power 0 to 2. Departure: the cosine is one of both lengths.

    Arguments:
        at: The layer; None: the one that the target reads.
        power: 0 for much the same picture, 1 and 2 for what is typical of it.
        rate, steps: Of Adam.

    Raises:
        InputError: there is neither a picture nor data.
    """

    at: str | None = None
    power: float = 1.0
    rate: float = 0.05
    steps: int = 512
    name: ClassVar[str] = "caricature"

    def plan(self, task: Task) -> Plan:
        """The plan of every picture, without the picture it is compared with."""
        robust = Robust.standard() if task.frame.spatial else None
        return Plan(Fourier(), Adam(self.rate), self.steps, robust=robust, rescue=False)

    def maximize(self, task: Task) -> Maximized:
        pictures, at = references(self.name, task), layers(task, self.at)
        features, plan = reference_activations(task, pictures, at), self.plan(task)

        def optimize(row: int, single: Task) -> OptimizationResult:
            likeness = Target(((1.0, Likeness(at[row], features[row], self.power, paired=True)),))
            single = replace(single, targets=(likeness,), start=None)
            return gradient_ascent(*with_reference(single, plan, pictures[row : row + 1]))

        p = maximized(task, self.name, plan, per_image(task, optimize))
        return replace(p, extras={**p.extras, "given": pictures})
