"""The score of a class at a step of time as a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pellucid.errors import TargetError
from .classes import OfClass
from .target import Names, Term


@dataclass(frozen=True)
class Step(OfClass):
    """The score of a class at a step of time, or its mean over several.

    Arguments:
        steps: The first, and the last + 1.
        classes_first: Whether outputs are (batch, class, time), and not (batch, time, class).
    """

    steps: tuple[int, int] = (0, 1)
    classes_first: bool = False

    word: ClassVar[str] = "score of class"

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        return OfClass.resolve(self, self._mean(value), names)

    def read(self, value: Tensor) -> Tensor:
        return self.pick(self._mean(value))

    def text(self, sample: int = 0) -> str:
        first, last = self.steps
        steps = f"step {first}" if last - first == 1 else f"steps {first} to {last - 1}"
        return f"{OfClass.text(self, sample)} at {steps}"

    def _mean(self, value: Tensor) -> Tensor:
        """Scores over these steps, with shape (batch, class)."""
        axis = 2 if self.classes_first else 1
        first, last = self.steps
        count = value.shape[axis] if value.dim() == 3 else 0
        first, last = (first + count, last + count) if first < 0 else (first, last)
        if not 0 <= first < last <= count:
            shape = "(batch, class, time)" if self.classes_first else "(batch, time, class)"
            why = f"they are read as {shape}, and steps run 0-{count - 1}" if count else f"steps are read from {shape}"
            raise TargetError(
                self.text(), f"outputs of shape {tuple(value.shape)}", why,
                "Ask for one of those; pl.step(..., classes_first=True) reads (batch, class, time).",
            )  # fmt: skip
        return value.narrow(axis, first, last - first).mean(axis)
