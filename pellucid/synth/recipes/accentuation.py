"""Feature accentuation: what a target sees in a picture, drawn into it, while the rest stays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from pellucid.target import Target
from ..canvas import Fourier
from ..maximized import Maximized, maximized
from ..objective.activations import differentiable, layer_activations
from ..optimize.ascent import Adam
from ..optimize.feature_matching import Distance, FeatureDistance, beside, pictures_only, references, with_targets
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.per_image import per_image
from ..optimize.result import OptimizationResult
from ..optimize.task import Plan, Task
from ..random import generators
from ..robust import Robust
from .maco import transparency


@dataclass(frozen=True)
class Accentuation:
    """The picture with a higher score near a given one, as the network sees it: argmax S(x) - alpha B |F(x) - F(x0)|.

    F are the values of a layer, in random crops of both pictures, and B is such that at the first step both parts have slopes of
    the same size. Where the target finds something in the picture, it is drawn out. `extras["transparency"]` tells where.

    References: Hamblin et al., 2024, Feature accentuation: revealing 'what' features respond to in natural images,
        https://doi.org/10.48550/arXiv.2402.10039, with the settings of its code: frequencies, 100 steps of Adam with 0.05, 16
        crops in each, their sides between 5 % and all of the picture's, noise. Departures: crops show 35 % to all of the sides,
        since the canvas is no larger than the network's input; transparency is measured on the last picture.

    Arguments:
        at: The layer that should see the same; None: the one the target reads.
        alpha: How much more that counts than the score.
        rate, steps: Of Adam.
        crops: How many are looked at in each step.

    Raises:
        InputError: there is neither a picture nor data.
    """

    at: str | None = None
    alpha: float = 1.0
    rate: float = 0.05
    steps: int = 100
    crops: int = 8
    name: ClassVar[str] = "accentuation"

    def plan(self, task: Task) -> Plan:
        """That of every picture, but for what it is compared with."""
        robust = Robust(self.crops, crop=0.675, crop_spread=0.19, noise=0.02)
        return Plan(Fourier(), Adam(self.rate), self.steps, robust=robust, rescue=False)

    def maximize(self, task: Task) -> Maximized:
        shown, plan = references(self.name, task), self.plan(task)
        at = [self.at if self.at is not None else target.addresses[0] for target in task.targets]

        def climbed(row: int, alone: Task) -> OptimizationResult:
            reference, target = shown[row : row + 1], pictures_only(alone.targets[0])
            begun, paired = beside(with_targets(alone, [target], reference), plan, reference)
            score, gap = (slope(begun, paired, one) for one in (target, Target(((1.0, Distance(at[row], beside=True)),))))
            near = FeatureDistance(at[row], self.alpha * score / gap if gap > 0 else 0.0)
            return gradient_ascent(begun, replace(paired, priors=(*paired.priors, near)))

        found = maximized(task, self.name, plan, per_image(task, climbed))
        return replace(found, extras={**found.extras, "transparency": transparency(task, found.images, plan), "given": shown})


def slope(task: Task, plan: Plan, target: Target) -> float:
    """The sum of the absolute slopes of a target by the numbers of the canvas, at the start."""
    assert task.start is not None
    seen = (task.start,) if plan.canvas.literal else plan.canvas.inverse(task.start, task.frame)  # type: ignore[attr-defined]
    numbers = tuple(n.detach().requires_grad_() for n in seen)
    with differentiable(numbers[0]):
        pictures = plan.canvas.draw(numbers, task.frame)
        views = pictures if plan.robust is None else plan.robust(pictures, generators(task.seeds), 0)
        ask, _ = layer_activations(task.model, task.frame.to_inputs(pictures.detach()), target.addresses)
        values = ask(task.frame.to_inputs(views))
        parts = torch.autograd.grad(target.read(lambda at: values[at]).mean(), numbers)
    return float(sum((part.abs().sum() for part in parts), start=torch.zeros(())))
