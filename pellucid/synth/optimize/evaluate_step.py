"""One step's forward and backward pass: the scores of a batch of pictures and their gradients by the canvas's numbers."""

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
from .redirected_relu import Redirected
from .step_rules import Numbers
from .task import Plan, Task


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures that are optimised together.

    Arguments:
        task, plan: What is optimised, and how.
        activations: Gives the values that the targets and penalties read.
        number, count: Which batch this is, of how many.
        begun: When the first batch began, by `time.perf_counter`.
        halted: Whether the batch before it was called off.
    """

    task: Task
    plan: Plan
    activations: LayerActivations
    number: int
    count: int
    begun: float
    halted: bool = False

    def stop_reason(self, step: int) -> str:
        """Why to stop before this step, or "". Reports the progress so far."""
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
    """The state of n pictures at one step.

    Arguments:
        pictures: As drawn, with shape (n, *frame.shape).
        scores: The targets, the mean over views, with shape (n,).
        gradients: Of scores less penalties, by each number of the canvas.
        dead: Which pictures get no gradient from the network at all, a mask (n,).
        finite: Of which pictures score and gradients are finite, a mask (n,).
        leads: For which pictures the target leads its layer, see `Objective.leads`.
    """

    pictures: Tensor
    scores: Tensor
    gradients: Numbers
    dead: Tensor
    finite: Tensor
    leads: Tensor | None


def evaluate_step(
    batch: Batch, objective: Objective, numbers: Numbers, draws: Draws, step: int, *, redirect: bool = False
) -> StepEvaluation:
    """Scores less penalties, differentiated by the canvas's numbers alone, never by weights.

    Arguments:
        redirect: Whether rectifiers let gradients through where they are off, see `redirected_relu.py`; penalties are then left
            out.

    Raises:
        ModelError: the score does not depend on the picture.
    """
    task, plan = batch.task, batch.plan
    numbers = tuple(number.detach().requires_grad_() for number in numbers)
    pictures = plan.canvas.draw(numbers, task.frame)
    views = pictures if plan.robust is None else plan.robust(pictures, draws, step)
    x = task.frame.to_inputs(views)
    x = x if x.requires_grad else x.detach().requires_grad_()
    count = len(x) // len(pictures)
    values = batch_activations(batch, x, redirect=redirect)
    scores = objective(values, count)
    total = scores.sum()
    for penalty in plan.penalties if not redirect else ():
        total = total - penalty.weight * penalty(pictures, task.frame, values).sum()
    if not total.requires_grad:
        raise ModelError(
            f"Maximizing {task.targets[0]} on {task.model.name}", "a score that does not depend on the picture",
            "gradient ascent needs a gradient: is there numpy, `no_grad` or a prepacked kernel on the way?",
            "Let the network compute in PyTorch, with gradients.",
        )  # fmt: skip
    *by_numbers, inner = torch.autograd.grad(total, (*numbers, x), allow_unused=True)
    gradients = [torch.zeros_like(n) if g is None else g.detach() for n, g in zip(numbers, by_numbers, strict=True)]
    finite = scores.isfinite()
    for gradient in gradients:
        finite = finite & gradient.flatten(1).isfinite().all(1)
    dead = torch.ones_like(finite) if inner is None else ~inner.flatten(1).ne(0).any(1).view(len(pictures), count).any(1)
    leads = objective.leads(values, count)
    return StepEvaluation(pictures.detach(), scores.detach(), tuple(gradients), dead, finite, leads)


def batch_activations(batch: Batch, x: Tensor, *, redirect: bool = False) -> Values:
    """The values that the targets and penalties of a batch read, for inputs x."""
    addresses = [at for target in batch.task.targets for at in target.addresses]
    addresses += [at for penalty in batch.plan.penalties for at in penalty.addresses]
    activations = batch.activations.only(addresses)
    with batch.task.autocast:
        if not redirect:
            return activations(x)
        with Redirected():
            return activations(x)
