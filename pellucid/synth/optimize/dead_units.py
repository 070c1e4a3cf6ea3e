"""The rescue of dead units: pictures without any gradient get rectifiers that let gradients through, then other starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..objective.objective import Objective, objective_of
from ..prior.per_picture import per_picture
from ..protocols import Draws
from ..random import generators, normal
from .evaluate_step import Batch, StepEvaluation, batch_activations, evaluate_step
from .step_rules import Numbers

REDIRECTED = 16  # first steps in which rectifiers may let gradients through, as in Lucid
STARTS = 16  # other starts that are tried for a picture whose gradient is zero after that


def rescue(
    batch: Batch, numbers: Numbers, draws: Draws, step: int, evaluation: StepEvaluation, alive: Tensor
) -> tuple[Numbers, StepEvaluation]:
    """Numbers and evaluation with those of dead pictures replaced; these are evaluated in a batch of their own.

    In the first steps rectifiers let gradients through. In the last of them other starts are tried; pictures that get no gradient
    even then stay dead.
    """
    rows = [row for row, dead in enumerate((evaluation.dead & alive).tolist()) if dead]
    dead, last = replace(batch, task=batch.task.take(rows)), step == last_rescue(batch)
    objective = objective_of(dead.task.targets)
    if last:
        better = best_restart(dead, objective, [n[rows] for n in numbers])
        numbers = tuple(_put(n, rows, b) for n, b in zip(numbers, better, strict=True))
    new = evaluate_step(dead, objective, tuple(n[rows] for n in numbers), [draws[row] for row in rows], step, redirect=not last)
    gradients = tuple(_put(old, rows, g) for old, g in zip(evaluation.gradients, new.gradients, strict=True))
    names = "pictures", "scores", "finite", *(["dead"] if last else [])
    others = {name: _put(getattr(evaluation, name), rows, getattr(new, name)) for name in names}
    return numbers, replace(evaluation, gradients=gradients, **others)


def last_rescue(batch: Batch) -> int:
    """The step of the last rescue, in which other starts are tried."""
    return min(REDIRECTED, batch.plan.steps)


def best_restart(batch: Batch, objective: Objective, numbers: Sequence[Tensor]) -> Numbers:
    """The numbers of the highest scoring of some other starts, for each picture where one scores higher than it."""
    plan, frame = batch.plan, batch.task.frame
    best = tuple(numbers)
    with torch.no_grad():
        top = objective(batch_activations(batch, frame.to_inputs(plan.canvas.draw(best, frame))))
        for attempt in range(STARTS):
            draws = generators([seed + (attempt + 1) * 1_000_003 for seed in batch.task.seeds])
            tried = plan.canvas.start(frame, draws)
            tried = tuple(n + (0.5 * attempt / STARTS) * normal(draws, n.shape[1:], frame).to(n.dtype) for n in tried)
            tried = plan.canvas.within(tried, frame)
            scores = objective(batch_activations(batch, frame.to_inputs(plan.canvas.draw(tried, frame))))
            better = scores > top
            best = tuple(torch.where(per_picture(better, n), t, n) for n, t in zip(best, tried, strict=True))
            top = torch.where(better, scores, top)
    return best


def _put(whole: Tensor, rows: Sequence[int], parts: Tensor) -> Tensor:
    """`whole` with some of its rows replaced."""
    return whole.index_copy(0, torch.tensor(rows, device=whole.device), parts)
