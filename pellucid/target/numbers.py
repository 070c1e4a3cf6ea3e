"""Readings of outputs that are not one score per class: numbers at a place, and classes at steps of time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ..errors import TargetError
from .classes import OfClass
from .noun import Names, Term


@dataclass(frozen=True)
class Number(Term):
    """One number of the output, at a place counted without the samples.

    Arguments:
        position: One index per axis; none where each sample has one number only.
        label: What it is called, for captions.

    Example:
        >>> import torch
        >>> Number(position=(1,)).read(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([2., 4.])
    """

    position: tuple[int, ...] = ()
    label: str = ""

    def settle(self, value: Tensor, names: Names | None) -> Term:
        if names is None or len(self.position) != 1 or value.dim() != 2:
            return self
        known = names.label(self.position[0])
        return replace(self, label="" if known == f"class {self.position[0]}" else known)

    def read(self, value: Tensor) -> Tensor:
        sizes = tuple(value.shape[1:])
        if not self.position and value.dim() and value[:1].numel() == 1:
            return value.reshape(len(value))
        fits = len(self.position) == len(sizes) and all(-n <= p < n for p, n in zip(self.position, sizes, strict=True))
        if not sizes or not fits:
            axes = ", ".join(f"0-{n - 1}" for n in sizes) or "none"
            raise TargetError(
                self.text(), f"an output of shape {tuple(value.shape)}", f"a number is named by one index per axis: {axes}",
                f"Ask for one, such as pl.output({', '.join('0' for _ in sizes)}), or explain a function of the output.",
            )  # fmt: skip
        place: tuple[slice | int, ...] = (slice(None), *self.position)
        return value[place]

    def text(self, sample: int = 0) -> str:
        place = self.position[0] if len(self.position) == 1 else self.position
        return ("the output" if not self.position else f"output {place}") + (f' "{self.label}"' if self.label else "")

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class Step(OfClass):
    """The score of a class at a step of time, or its mean over several.

    Arguments:
        steps: The first, and the last + 1.
        classes_first: Whether outputs are (batch, class, time), and not (batch, time, class).
    """

    steps: tuple[int, int] = (0, 1)
    classes_first: bool = False

    @property
    def word(self) -> str:
        return "score of class"

    def settle(self, value: Tensor, names: Names | None) -> Term:
        return OfClass.settle(self, self._mean(value), names)

    def read(self, value: Tensor) -> Tensor:
        return self.pick(self._mean(value))

    def text(self, sample: int = 0) -> str:
        first, last = self.steps
        told = f"step {first}" if last - first == 1 else f"steps {first} to {last - 1}"
        return f"{OfClass.text(self, sample)} at {told}"

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
