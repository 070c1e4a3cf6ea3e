"""The history of an optimisation: the best pictures so far, the scores step by step, and which pictures are done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..prior.per_picture import per_picture
from .dead_units import STARTS
from .evaluate_step import Batch, StepEvaluation


@dataclass(eq=False)
class History:
    """What was seen of n pictures so far, updated step by step.

    Arguments:
        best, top: The pictures with the highest scores, and these scores.
        majority, led: The first pictures whose class or channel led its layer, and a mask of where there was one.
        alive: Which pictures are still moved, a mask.
        fired: Which had a gradient at some step.
        broken: Of which score or gradient was not finite.
        risen: The step in which the score last rose by a thousandth.
        trace: The scores, step by step; NaN where a picture was not moved any more.
    """

    best: Tensor
    majority: Tensor
    top: Tensor
    led: Tensor
    alive: Tensor
    fired: Tensor
    broken: Tensor
    risen: Tensor
    trace: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, pictures: Tensor) -> History:
        """Before the first step."""
        no = torch.zeros(len(pictures), dtype=torch.bool, device=pictures.device)
        return cls(pictures, pictures, torch.full_like(no, -torch.inf, dtype=torch.float32), no, ~no, no, no, no.long())

    def add(self, evaluation: StepEvaluation, step: int) -> None:
        """Record one step."""
        self.fired = self.fired | ~evaluation.dead
        self.broken = self.broken | (~evaluation.finite & self.alive)
        self.alive = self.alive & evaluation.finite
        scores = evaluation.scores.nan_to_num(-torch.inf, posinf=-torch.inf)
        clearly = scores > self.top + 1e-3 * self.top.abs().clamp(max=1e6)
        self.risen = torch.where(self.alive & (clearly | (self.top == -torch.inf)), step, self.risen)
        better = self.alive & (scores > self.top)
        self.best = torch.where(per_picture(better, evaluation.pictures), evaluation.pictures, self.best)
        self.top = torch.where(better, scores, self.top)
        self.trace.append(torch.where(self.alive, scores, torch.nan))
        if evaluation.leads is not None:
            new = evaluation.leads & ~self.led & self.alive
            self.majority = torch.where(per_picture(new, evaluation.pictures), evaluation.pictures, self.majority)
            self.led = self.led | new

    def firsts(self) -> Tensor:
        """The first pictures that led; where there was none, the best."""
        return torch.where(per_picture(self.led, self.best), self.majority, self.best)

    def freeze(self, step: int, plateau: int | None) -> None:
        """Stop moving the pictures whose score has not risen for `plateau` steps."""
        if plateau is not None:
            self.alive = self.alive & (step - self.risen < plateau)

    def notes(self, batch: Batch) -> Iterator[str]:
        """Remarks for the reader: targets that never got a gradient, and those that were not finite."""
        fired, broken, targets = self.fired.tolist(), self.broken.tolist(), [target.text() for target in batch.task.targets]
        for target in dict.fromkeys(t for t, f, b in zip(targets, fired, broken, strict=True) if not f and not b):
            rescued = f", also with rectifiers that let gradients through and from {STARTS} other starts"
            rescued = rescued if batch.plan.rescue else ""
            yield (
                f"{target}: this unit never fired. No gradient reached the picture in {len(self.trace)} evaluations{rescued}; "
                "the picture shown is the one it started from."
            )
        for target in dict.fromkeys(t for t, b in zip(targets, broken, strict=True) if b):
            yield f"{target}: stopped where the score or its gradient was no finite number; the last finite picture is shown."
