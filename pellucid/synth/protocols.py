"""What a maximization is made of: a canvas, priors, robustness. Each is one file, and none knows the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .frame import Frame

Draws = Sequence[torch.Generator]
"""One generator on the CPU per picture, so that a picture alone gets the draws it gets in a batch, on any device."""


@runtime_checkable
class Canvas(Protocol):
    """How a picture is told by numbers that are moved."""

    @property
    def name(self) -> str: ...

    @property
    def literal(self) -> bool:
        """Whether the numbers are the picture, so that projections can work on it."""

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The numbers to begin with, one row per picture, on the frame's device."""

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        """The pictures they tell, differentiable: shape (n, *frame.shape), in [0, 1] where the frame is bounded."""

    def within(self, numbers: tuple[Tensor, ...], frame: Frame) -> tuple[Tensor, ...]:
        """The numbers after a step, brought back to where they tell pictures."""


@runtime_checkable
class Penalty(Protocol):
    """What a picture should rather not be: subtracted from its score."""

    def __call__(self, pictures: Tensor, frame: Frame, values: Mapping[str | None, Tensor]) -> Tensor:
        """One number per picture, differentiable.

        Arguments:
            pictures: As drawn, before any transformation.
            values: What the model computed of all views, at the addresses in `addresses`; views of one picture are adjacent.
        """

    @property
    def weight(self) -> float:
        """How many times it is subtracted."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The values inside the model that it reads, none as a rule."""


@runtime_checkable
class Projection(Protocol):
    """What is done to a picture after each step of the ascent. It needs a canvas whose numbers are the picture."""

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        """The pictures to go on with.

        Arguments:
            pictures: After the step.
            before: The same before the step.
            slope: The derivative of the score by each entry, at `before`.
        """


@runtime_checkable
class Robustness(Protocol):
    """Random changes of the picture that its score should survive."""

    @property
    def views(self) -> int:
        """How many changed versions of a picture are looked at in each step."""

    def __call__(self, pictures: Tensor, draws: Draws, step: int) -> Tensor:
        """Changed versions, differentiable: shape (n * views, *frame.shape), those of one picture adjacent."""
