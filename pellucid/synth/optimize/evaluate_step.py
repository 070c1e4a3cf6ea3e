"""A look at pictures: what the network says of them, and which way is up."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.errors import ModelError
from ..objective.activations import LayerActivations, Values
from ..objective.objective import Objective
from ..protocols import Draws
from .ascent import Numbers
from .redirected_relu import Redirected
from .task import Plan, Task


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures that climb in one batch: number `number` of `count` such batches."""

    task: Task
    plan: Plan
    ask: LayerActivations
    number: int
    count: int
    begun: float
    halted: bool = False

    def over(self, step: int) -> str:
        """Why to stop before this step, if there is a reason; tells whoever watches how far it is."""
        seconds, steps = time.perf_counter() - self.begun, self.plan.steps
        done = self.number * steps + step
        rate = f", {done / seconds:.1f} per second" if done and seconds > 0 else ""
        if self.halted or report_progress(done, self.count * steps, f"steps{rate}"):
            return f"Called off after {step} of {steps} steps."
        if self.task.seconds is not None and seconds > self.task.seconds * (self.number + 1) / self.count:
            return f"Stopped after {step} of {steps} steps, when the time was up."
        return ""


@dataclass(frozen=True, eq=False)
class StepEvaluation:
    """What the network says of pictures at one step, and which way is up."""

    pictures: Tensor
    scores: Tensor
    slopes: Numbers
    dead: Tensor
    sound: Tensor
    leads: Tensor | None


def evaluate_step(
    batch: Batch, objective: Objective, numbers: Numbers, draws: Draws, step: int, *, redirect: bool = False
) -> StepEvaluation:
    """One forward and one backward pass: scores less penalties, differentiated by the numbers alone, never by weights."""
    task, plan = batch.task, batch.plan
    numbers = tuple(number.detach().requires_grad_() for number in numbers)
    pictures = plan.canvas.draw(numbers, task.frame)
    views = pictures if plan.robust is None else plan.robust(pictures, draws, step)
    fed = task.frame.to_inputs(views)
    fed = fed if fed.requires_grad else fed.detach().requires_grad_()
    count = len(fed) // len(pictures)
    values = batch_activations(batch, fed, redirect)
    scores = objective(values, count)
    worth = scores.sum()
    for penalty in plan.penalties if not redirect else ():  # they have slopes of their own, and are not what is helped
        worth = worth - penalty.weight * penalty(pictures, task.frame, values).sum()
    _check_thread(task, worth)
    *slopes, inner = torch.autograd.grad(worth, (*numbers, fed), allow_unused=True)
    slopes = [torch.zeros_like(n) if slope is None else slope.detach() for n, slope in zip(numbers, slopes, strict=True)]
    sound = scores.isfinite()
    for slope in slopes:
        sound = sound & slope.flatten(1).isfinite().all(1)
    dead = torch.ones_like(sound) if inner is None else ~inner.flatten(1).ne(0).any(1).view(len(pictures), count).any(1)
    leads = objective.leads(values, count)
    return StepEvaluation(pictures.detach(), scores.detach(), tuple(slopes), dead, sound, leads)


def batch_activations(batch: Batch, fed: Tensor, redirect: bool) -> Values:
    wanted = [at for target in batch.task.targets for at in target.addresses]
    wanted += [at for penalty in batch.plan.penalties for at in penalty.addresses]
    ask = batch.ask.only(wanted)
    with batch.task.autocast:
        if not redirect:
            return ask(fed)
        with Redirected():
            return ask(fed)


def _check_thread(task: Task, worth: Tensor) -> None:
    if not worth.requires_grad:
        raise ModelError(
            f"A climb of {task.targets[0]} on {task.model.name}", "a score that does not depend on the picture",
            "without a gradient there is no way up: numpy, `no_grad` or a prepacked kernel on the way?",
            "Let the network compute in PyTorch, with gradients.",
        )  # fmt: skip
