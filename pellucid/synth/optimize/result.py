"""Where climbs led, and how several of them make one: one after the other, or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .ascent import Numbers


@dataclass(frozen=True, eq=False)
class OptimizationResult:
    """Where a climb led.

    Arguments:
        numbers: Those of the canvas, at the last step.
        pictures: What they tell.
        best, majority: The pictures with the highest score, and the first for which their class or channel led its layer; where
            none did, the best. Scores are those seen in the climb, of views where there are any.
        led: For which pictures there was such a first.
        trace: The score by step and picture, NaN where a picture was not moved any more.
        fired: For which pictures the gradient was not zero at some step.
        notes: Sentences that a reader has to know.
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

    def kept(self, keep: str) -> Tensor:
        """The pictures that a plan wants."""
        return {"last": self.pictures, "best": self.best, "majority": self.majority}[keep]


def one_after_another(found: Sequence[OptimizationResult]) -> OptimizationResult:
    """Climbs of the same pictures, each from where the one before it led: the last, with the trace and the notes of all."""
    *before, last = found
    trace = torch.cat([*(one.trace for one in before), last.trace])
    fired = torch.stack([one.fired for one in found]).any(0)
    steps, seconds = sum(one.steps for one in found), sum(one.seconds for one in found)
    return replace(last, trace=trace, fired=fired, notes=_notes(found), steps=steps, seconds=seconds)


def batched(
    found: Sequence[OptimizationResult], rows: Sequence[int] | None = None, seconds: float | None = None
) -> OptimizationResult:
    """Climbs of different pictures as one.

    Arguments:
        rows: Where each of their pictures, one after another, has its place; None: in that order.
        seconds: How long they took, if not one after another.
    """
    count = sum(len(one.pictures) for one in found)
    order = sorted(range(count), key=lambda place: rows[place]) if rows is not None else list(range(count))
    longest = max(len(one.trace) for one in found)
    filled = [
        torch.cat([one.trace, one.trace.new_full((longest - len(one.trace), one.trace.shape[1]), torch.nan)]) for one in found
    ]

    def joined(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts))[order]

    pictures, best, majority, led, fired = (
        joined([getattr(one, name) for one in found]) for name in ("pictures", "best", "majority", "led", "fired")
    )
    numbers = tuple(joined(parts) for parts in zip(*(one.numbers for one in found), strict=True))
    steps, seconds = max(one.steps for one in found), sum(one.seconds for one in found) if seconds is None else seconds
    return OptimizationResult(
        numbers, pictures, best, majority, led, torch.cat(filled, 1)[:, order], fired, _notes(found), steps, seconds
    )  # fmt: skip


def _notes(found: Sequence[OptimizationResult]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for one in found for note in one.notes))
