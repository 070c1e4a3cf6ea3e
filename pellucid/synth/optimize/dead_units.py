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
from .evaluate_step import Look, Part, asked_of, look_at

REDIRECTED = 16  # first steps in which rectifiers may be asked to let gradients through, as Lucid does
STARTS = 16  # other starts that are tried for a picture whose gradient is zero after that


def rescued(part: Part, numbers: Numbers, draws: Draws, step: int, look: Look, alive: Tensor) -> tuple[Numbers, Look]:
    """Numbers and look with help for the pictures that have no slope, in a batch of their own: the others are left alone.

    In the first steps rectifiers let gradients through; in the last of them other starts are tried, and what has no slope even
    then has none.
    """
    rows = [row for row, dead in enumerate((look.dead & alive).tolist()) if dead]
    some, last = replace(part, task=part.task.take(rows)), step == last_help(part)
    aim = objective_of(some.task.targets)
    if last:
        better = other_starts(some, aim, [n[rows] for n in numbers])
        numbers = tuple(_put(n, rows, b) for n, b in zip(numbers, better, strict=True))
    own = [draws[row] for row in rows]
    again = look_at(some, aim, tuple(n[rows] for n in numbers), own, step, redirect=not last)
    return numbers, Look(
        _put(look.pictures, rows, again.pictures),
        _put(look.scores, rows, again.scores),
        tuple(_put(s, rows, a) for s, a in zip(look.slopes, again.slopes, strict=True)),
        _put(look.dead, rows, again.dead) if last else look.dead,
        _put(look.sound, rows, again.sound),
        look.leads,
    )


def last_help(part: Part) -> int:
    """The step of the last help."""
    return min(REDIRECTED, part.plan.steps)


def other_starts(part: Part, objective: Objective, numbers: Sequence[Tensor]) -> Numbers:
    """The highest scoring of some other starts, where one scores higher than what is there."""
    plan, frame = part.plan, part.task.frame
    best = tuple(numbers)
    with torch.no_grad():
        top = objective(asked_of(part, frame.fed(plan.canvas.draw(best, frame)), redirect=False))
        for attempt in range(STARTS):
            draws = drawn([seed + (attempt + 1) * 1_000_003 for seed in part.task.seeds])
            tried = plan.canvas.start(frame, draws)
            tried = tuple(n + (0.5 * attempt / STARTS) * normal(draws, n.shape[1:], frame).to(n.dtype) for n in tried)
            tried = plan.canvas.within(tried, frame)
            scores = objective(asked_of(part, frame.fed(plan.canvas.draw(tried, frame)), redirect=False))
            better = scores > top
            best = tuple(torch.where(per_picture(better, n), t, n) for n, t in zip(best, tried, strict=True))
            top = torch.where(better, scores, top)
    return best


def _put(whole: Tensor, rows: Sequence[int], parts: Tensor) -> Tensor:
    """`whole` with some of its rows replaced."""
    return whole.index_copy(0, torch.tensor(rows, device=whole.device), parts)
