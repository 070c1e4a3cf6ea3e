"""Readings of everything but classes: tokens, channels and directions inside, functions of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..errors import TargetError
from .noun import Term


@dataclass(frozen=True)
class Token(Term):
    """The score of a token at a position, for outputs (batch, position, vocabulary)."""

    id: int = 0
    position: int = -1

    def read(self, value: Tensor) -> Tensor:
        if value.dim() != 3 or not -value.shape[1] <= self.position < value.shape[1] or not 0 <= self.id < value.shape[2]:
            raise TargetError(
                str(self),
                f"outputs of shape {tuple(value.shape)}",
                "tokens are read from (batch, position, vocabulary)",
                "Check both numbers.",
            )
        return value[:, self.position, self.id]

    def __str__(self) -> str:
        return f"token {self.id} at position {self.position}"


@dataclass(frozen=True)
class Channel(Term):
    """The mean activation of a channel of a layer (axis 1), or its activation at one position."""

    unit: int = 0
    position: tuple[int, ...] | None = None

    def read(self, value: Tensor) -> Tensor:
        if value.dim() < 2 or not -value.shape[1] <= self.unit < value.shape[1]:
            raise TargetError(
                str(self),
                f"a value of shape {tuple(value.shape)}",
                f"channels run 0-{value.shape[1] - 1 if value.dim() > 1 else 0}",
                "Ask for one of those.",
            )
        maps = value[:, self.unit]
        if self.position is not None:
            return self._at(maps, self.position)
        return maps.flatten(1).mean(1) if maps.dim() > 1 else maps

    def _at(self, maps: Tensor, position: tuple[int, ...]) -> Tensor:
        sizes = tuple(maps.shape[1:])
        if len(position) != len(sizes) or not all(-n <= p < n for p, n in zip(position, sizes, strict=True)):
            raise TargetError(
                str(self), f"maps of shape {sizes}", "a position is one index per axis of the map", "Ask for one of those."
            )
        place: tuple[Any, ...] = (slice(None), *position)
        return maps[place]

    def __str__(self) -> str:
        return f"channel {self.unit} of {self.at}" + (f" at {self.position}" if self.position is not None else "")


@dataclass(frozen=True)
class Direction(Term):
    """How far a layer's activation, averaged over positions, reaches along a vector over its channels."""

    vector: Tensor | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.vector is not None
        if value.dim() < 2 or value.shape[1] != self.vector.numel():
            raise TargetError(
                str(self),
                f"a value of shape {tuple(value.shape)}",
                f"the vector has {self.vector.numel()} entries, one per channel",
                "Let them agree.",
            )
        means = value.flatten(2).mean(2) if value.dim() > 2 else value
        return means @ self.vector.to(means)

    def __str__(self) -> str:
        return f"a direction in {self.at or 'the output'}"


@dataclass(frozen=True)
class Function(Term):
    """Any function of the output that gives one number per sample."""

    fn: Callable[[Any], Tensor] | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.fn is not None
        score = self.fn(value)
        if not isinstance(score, Tensor) or score.dim() != 1 or len(score) != len(value):
            shape = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
            raise TargetError(
                str(self),
                f"a result of shape {shape}",
                f"one number for each of {len(value)} samples is needed",
                "Return a tensor of shape (batch,).",
            )
        return score

    def __str__(self) -> str:
        return getattr(self.fn, "__name__", "a function of the output")
