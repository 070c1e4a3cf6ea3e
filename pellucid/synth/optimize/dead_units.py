"""Help for pictures without any slope: rectifiers that let gradients through, then other starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..objective.objective import Objective, objective_of
from ..protocols import Draws
from ..random import drawn, normal
from .ascent import Numbers, per_picture
from .evaluate_step import Batch, StepEvaluation, batch_activations, evaluate_step

REDIRECTED = 16  # first steps in which rectifiers may be asked to let gradients through, as Lucid does
STARTS = 16  # other starts that are tried for a picture whose gradient is zero after that


def rescue(
    batch: Batch, numbers: Numbers, draws: Draws, step: int, evaluation: StepEvaluation, alive: Tensor
) -> tuple[Numbers, StepEvaluation]:
    """Numbers and look with help for the pictures that have no slope, in a batch of their own: the others are left alone.

    In the first steps rectifiers let gradients through; in the last of them other starts are tried, and what has no slope even
    then has none.
    """
    rows = [row for row, dead in enumerate((evaluation.dead & alive).tolist()) if dead]
    some, last = replace(batch, task=batch.task.take(rows)), step == last_rescue(batch)
    aim = objective_of(some.task.targets)
    if last:
        better = best_restart(some, aim, [n[rows] for n in numbers])
        numbers = tuple(_put(n, rows, b) for n, b in zip(numbers, better, strict=True))
    own = [draws[row] for row in rows]
    again = evaluate_step(some, aim, tuple(n[rows] for n in numbers), own, step, redirect=not last)
    return numbers, StepEvaluation(
        _put(evaluation.pictures, rows, again.pictures),
        _put(evaluation.scores, rows, again.scores),
        tuple(_put(s, rows, a) for s, a in zip(evaluation.slopes, again.slopes, strict=True)),
        _put(evaluation.dead, rows, again.dead) if last else evaluation.dead,
        _put(evaluation.sound, rows, again.sound),
        evaluation.leads,
    )


def last_rescue(batch: Batch) -> int:
    """The step of the last help."""
    return min(REDIRECTED, batch.plan.steps)


def best_restart(batch: Batch, objective: Objective, numbers: Sequence[Tensor]) -> Numbers:
    """The highest scoring of some other starts, where one scores higher than what is there."""
    plan, frame = batch.plan, batch.task.frame
    best = tuple(numbers)
    with torch.no_grad():
        top = objective(batch_activations(batch, frame.to_inputs(plan.canvas.draw(best, frame)), redirect=False))
        for attempt in range(STARTS):
            draws = drawn([seed + (attempt + 1) * 1_000_003 for seed in batch.task.seeds])
            tried = plan.canvas.start(frame, draws)
            tried = tuple(n + (0.5 * attempt / STARTS) * normal(draws, n.shape[1:], frame).to(n.dtype) for n in tried)
            tried = plan.canvas.within(tried, frame)
            scores = objective(batch_activations(batch, frame.to_inputs(plan.canvas.draw(tried, frame)), redirect=False))
            better = scores > top
            best = tuple(torch.where(per_picture(better, n), t, n) for n, t in zip(best, tried, strict=True))
            top = torch.where(better, scores, top)
    return best


def _put(whole: Tensor, rows: Sequence[int], parts: Tensor) -> Tensor:
    """`whole` with some of its rows replaced."""
    return whole.index_copy(0, torch.tensor(rows, device=whole.device), parts)
