"""OptimizationResult: the pictures an optimisation led to; and how several make one, in sequence, in a batch, one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from .step_rules import Numbers
from .task import Task


@dataclass(frozen=True, eq=False)
class OptimizationResult:
    """Where the optimisation of n pictures led.

    Arguments:
        numbers: Those of the canvas, at the last step.
        pictures: Drawn from them, with shape (n, *frame.shape), as the frame has them.
        best, majority: The pictures with the highest score, and the first for which their class or channel led its layer; where
            none did, the best. Scores are those of the random views, where there are any.
        led: For which pictures there was such a first, a mask (n,).
        trace: The score by step and picture, with shape (steps, n); NaN where a picture was not moved any more.
        fired: For which pictures the gradient was not zero at some step, a mask (n,).
        notes: Remarks for the reader, whole sentences.
        steps: How many were made.
        seconds: How long they took.
    """

    numbers: Numbers
    pictures: Tensor
    best: Tensor
    majority: Tensor
    led: Tensor
    trace: Tensor
    fired: Tensor
    notes: tuple[str, ...]
    steps: int
    seconds: float

    @property
    def stopped(self) -> bool:
        """Whether somebody called it off."""
        return any(note.startswith("Called off") for note in self.notes)

    @property
    def snapshots(self) -> dict[str, Tensor]:
        """The pictures at the moments that a plan may keep."""
        return {"last": self.pictures, "best": self.best, "majority": self.majority}


def in_sequence(results: Sequence[OptimizationResult]) -> OptimizationResult:
    """Optimisations of the same pictures, each from where the one before it led: the last, with the trace and notes of all."""
    *before, last = results
    trace = torch.cat([*(one.trace for one in before), last.trace])
    fired = torch.stack([one.fired for one in results]).any(0)
    steps, seconds = sum(one.steps for one in results), sum(one.seconds for one in results)
    return replace(last, trace=trace, fired=fired, notes=_notes(results), steps=steps, seconds=seconds)


def batched(
    results: Sequence[OptimizationResult], rows: Sequence[int] | None = None, seconds: float | None = None
) -> OptimizationResult:
    """Optimisations of different pictures as one, in `rows` of it or one after the other; `seconds` long, or their sum."""
    count = sum(len(one.pictures) for one in results)
    order = sorted(range(count), key=lambda place: rows[place]) if rows is not None else list(range(count))
    longest = max(len(one.trace) for one in results)
    traces = [pad(one.trace, (0, 0, 0, longest - len(one.trace)), value=torch.nan) for one in results]

    def joined(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts))[order]

    names = "pictures", "best", "majority", "led", "fired"
    tensors = {name: joined([getattr(one, name) for one in results]) for name in names}
    numbers = tuple(joined(parts) for parts in zip(*(one.numbers for one in results), strict=True))
    steps, seconds = max(one.steps for one in results), sum(one.seconds for one in results) if seconds is None else seconds
    trace = torch.cat(traces, 1)[:, order]
    return OptimizationResult(numbers, trace=trace, notes=_notes(results), steps=steps, seconds=seconds, **tensors)


def per_image(task: Task, optimize: Callable[[int, Task], OptimizationResult]) -> OptimizationResult:
    """The results of `optimize(row, task of that picture)` for every picture, as one; once called off, none is begun."""
    results: list[OptimizationResult] = []
    for row in range(len(task)):
        single = task.take([row])
        if task.seconds is not None:
            single = replace(single, seconds=task.seconds / len(task))
        if results and results[-1].stopped:
            single = replace(single, steps=0)
        results.append(optimize(row, single))
    return batched(results)


def _notes(results: Sequence[OptimizationResult]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for one in results for note in one.notes))
