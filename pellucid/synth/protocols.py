"""Protocols: what a maximization is composed of, for those who write their own: canvas, penalty, projection, robustness.

Step rules are `optimize.step_rules.Ascent`, recipes `maximized.Maximizer`. None of the parts knows of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .frame import Frame

Draws = Sequence[torch.Generator]
"""One generator on the CPU per picture, so that a picture alone gets the random numbers it gets in a batch, on any device."""


@runtime_checkable
class Canvas(Protocol):
    """A parameterisation of pictures by numbers: tensors (n, ...), one row per picture, real or complex.

    Two methods are optional. Without `inverse(pictures, frame)`, the numbers that draw given pictures (n, *frame.shape), nothing
    starts from given pictures unless the canvas is literal. Without `enlarged(numbers, frame, larger, draws)`, the numbers that
    draw the same pictures in a larger frame, all steps are made at the full size. Classes derived from this protocol are not
    literal and allow all numbers, unless they say otherwise.
    """

    @property
    def name(self) -> str: ...

    @property
    def literal(self) -> bool:
        """Whether the numbers are the picture itself, so that projections can work on it."""
        return False

    def start(self, frame: Frame, draws: Draws) -> tuple[Tensor, ...]:
        """The numbers to start from, one row per generator in `draws`, on the frame's device.

        Raises:
            InputError: the canvas cannot draw pictures of this frame.
        """

    def draw(self, numbers: tuple[Tensor, ...], frame: Frame) -> Tensor:
        """The pictures, differentiable by the numbers: (n, *frame.shape), in [0, 1] where the frame is bounded."""

    def within(self, numbers: tuple[Tensor, ...], frame: Frame) -> tuple[Tensor, ...]:
        """The numbers after a step, brought back to those that are allowed."""
        return numbers


@runtime_checkable
class Penalty(Protocol):
    """A prior that is subtracted from the score."""

    def __call__(self, pictures: Tensor, frame: Frame, values: Mapping[str | None, Tensor]) -> Tensor:
        """One number per picture, (n,), differentiable.

        Arguments:
            pictures: As drawn, before any transformation: (n, *frame.shape), in [0, 1] where the frame is bounded.
            values: The activations of all views at `addresses`, (n * views, ...); views of one picture are adjacent.
        """

    @property
    def weight(self) -> float:
        """The factor with which it is subtracted."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The modules whose values it reads; none, unless a derived class says otherwise."""
        return ()


@runtime_checkable
class Projection(Protocol):
    """A prior that changes a picture after each step of the ascent. It needs a canvas whose numbers are the picture."""

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        """The pictures to go on with, (n, *frame.shape).

        Arguments:
            pictures: After the step.
            before: Before the step.
            slope: The gradient of the score by each entry, at `before`.
            step: The number of the step, from 0.
        """


@runtime_checkable
class Robustness(Protocol):
    """Random transformations under which the score of a picture should stay high."""

    @property
    def views(self) -> int:
        """How many transformed versions of a picture are scored in each step."""

    def __call__(self, pictures: Tensor, draws: Draws, step: int) -> Tensor:
        """Transformed versions, differentiable: (n * views, *frame.shape), those of one picture adjacent.

        Arguments:
            pictures: (n, *frame.shape), in [0, 1] where the frame is bounded.
            draws: One generator per picture, which goes on from step to step.
            step: The number of the step, from 0.
        """
