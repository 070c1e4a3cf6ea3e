"""Feature accentuation: a given picture with a higher score that stays near to it in feature space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from pellucid.target import Target
from ..canvas import Fourier
from ..maximized import Maximized, maximized
from ..objective.activations import differentiable, layer_activations
from ..optimize.feature_matching import Distance, FeatureDistance, layers, pictures_only, references, with_reference
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.result import OptimizationResult, per_image
from ..optimize.step_rules import Adam
from ..optimize.task import Plan, Task
from ..random import generators
from ..robust import Robust
from .maco import transparency


@dataclass(frozen=True)
class Accentuation:
    """The picture with a higher score near a given one, as the network sees it: argmax S(x) - alpha B |F(x) - F(x0)|.

    F are the values of a layer, in random crops of both pictures, and B is such that at the first step both parts have gradients
    of the same size. What the target responds to in the picture is amplified; `extras["transparency"]` shows where.

    References: Hamblin et al., 2024, Feature accentuation: revealing 'what' features respond to in natural images,
        https://doi.org/10.48550/arXiv.2402.10039, with the settings of its code: frequencies, 100 steps of Adam with 0.05, 16
        crops in each, their sides between 5 % and all of the picture's, noise. Departures: crops show 35 % to all of the sides,
        since the canvas is no larger than the network's input; transparency is measured on the last picture.

    Arguments:
        at: The layer of F; None: the one the target reads.
        alpha: The weight of that distance relative to the score.
        rate, steps: Of Adam.
        crops: How many are scored in each step.

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
        """The plan of every picture, without the picture it is compared with."""
        robust = Robust(self.crops, crop=0.675, crop_spread=0.19, noise=0.02)
        return Plan(Fourier(), Adam(self.rate), self.steps, robust=robust, rescue=False)

    def maximize(self, task: Task) -> Maximized:
        pictures, plan, at = references(self.name, task), self.plan(task), layers(task, self.at)

        def optimize(row: int, single: Task) -> OptimizationResult:
            reference, target = pictures[row : row + 1], pictures_only(single.targets[0])
            started, paired = with_reference(replace(single, targets=(target,), start=reference), plan, reference)
            distance = Target(((1.0, Distance(at[row], paired=True)),))
            score, gap = (gradient_size(started, paired, one) for one in (target, distance))
            penalty = FeatureDistance(at[row], self.alpha * score / gap if gap > 0 else 0.0)
            return gradient_ascent(started, replace(paired, priors=(*paired.priors, penalty)))

        p = maximized(task, self.name, plan, per_image(task, optimize))
        return replace(p, extras={**p.extras, "transparency": transparency(task, p.images, plan), "given": pictures})


def gradient_size(task: Task, plan: Plan, target: Target) -> float:
    """The sum of the absolute gradients of a target by the numbers of the canvas, at the start."""
    assert task.start is not None
    start = (task.start,) if plan.canvas.literal else plan.canvas.inverse(task.start, task.frame)  # type: ignore[attr-defined]
    numbers = tuple(n.detach().requires_grad_() for n in start)
    with differentiable(task.model, numbers[0]):
        pictures = plan.canvas.draw(numbers, task.frame)
        views = pictures if plan.robust is None else plan.robust(pictures, generators(task.seeds), 0)
        activations, _ = layer_activations(task.model, task.frame.to_inputs(pictures.detach()), target.addresses)
        values = activations(task.frame.to_inputs(views))
        parts = torch.autograd.grad(target.read(lambda at: values[at]).mean(), numbers)
    return float(sum((part.abs().sum() for part in parts), start=torch.zeros(())))
