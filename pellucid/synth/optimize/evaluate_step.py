"""A look at pictures: what the network says of them, and which way is up."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.core.progress import told
from pellucid.errors import ModelError
from ..objective.activations import Asked, Values
from ..objective.objective import Objective
from ..protocols import Draws
from .ascent import Numbers
from .redirected_relu import Redirected
from .task import Plan, Task


@dataclass(frozen=True, eq=False)
class Part:
    """Pictures that climb in one batch: number `number` of `count` such batches."""

    task: Task
    plan: Plan
    ask: Asked
    number: int
    count: int
    begun: float
    halted: bool = False

    def over(self, step: int) -> str:
        """Why to stop before this step, if there is a reason; tells whoever watches how far it is."""
        seconds, steps = time.perf_counter() - self.begun, self.plan.steps
        done = self.number * steps + step
        rate = f", {done / seconds:.1f} per second" if done and seconds > 0 else ""
        if self.halted or told(done, self.count * steps, f"steps{rate}"):
            return f"Called off after {step} of {steps} steps."
        if self.task.seconds is not None and seconds > self.task.seconds * (self.number + 1) / self.count:
            return f"Stopped after {step} of {steps} steps, when the time was up."
        return ""


@dataclass(frozen=True, eq=False)
class Look:
    """What the network says of pictures at one step, and which way is up."""

    pictures: Tensor
    scores: Tensor
    slopes: Numbers
    dead: Tensor
    sound: Tensor
    leads: Tensor | None


def look_at(part: Part, objective: Objective, numbers: Numbers, draws: Draws, step: int, *, redirect: bool = False) -> Look:
    """One forward and one backward pass: scores less penalties, differentiated by the numbers alone, never by weights."""
    task, plan = part.task, part.plan
    numbers = tuple(number.detach().requires_grad_() for number in numbers)
    pictures = plan.canvas.draw(numbers, task.frame)
    views = pictures if plan.robust is None else plan.robust(pictures, draws, step)
    fed = task.frame.fed(views)
    fed = fed if fed.requires_grad else fed.detach().requires_grad_()
    count = len(fed) // len(pictures)
    values = asked_of(part, fed, redirect)
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
    return Look(pictures.detach(), scores.detach(), tuple(slopes), dead, sound, leads)


def asked_of(part: Part, fed: Tensor, redirect: bool) -> Values:
    wanted = [at for target in part.task.targets for at in target.addresses]
    wanted += [at for penalty in part.plan.penalties for at in penalty.addresses]
    ask = part.ask.only(wanted)
    with part.task.autocast:
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
