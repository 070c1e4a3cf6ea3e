"""Targets inside the model: channels, directions and the energy of a layer; and functions of the output that users write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import PellucidError, TargetError
from .target import Names, Term

TOKENS: dict[str | int | None, str] = {
    None: "",
    "patch": " over patches",
    "all": " over all tokens",
    "cls": " at the class token",
}


@dataclass(frozen=True)
class Channel(Term):
    """The mean activation of a channel of a layer, or its activation at one position.

    Arguments:
        unit: Which channel, or which for each sample.
        position, tokens: As in `pellucid.channel`.
        axis: 1 where somebody said that channels stand there, or it was found out; None: not yet.

    Example:
        >>> value = torch.arange(6.0).view(1, 3, 2)  # three tokens, two channels
        >>> [Channel("block", 1, tokens=tokens).read(value).item() for tokens in ("cls", "patch", "all", 2)]
        [1.0, 4.0, 3.0, 5.0]
    """

    unit: int | tuple[int, ...] = 0
    position: tuple[int, ...] | None = None
    tokens: str | int | None = None
    axis: int | None = None

    def read(self, value: Tensor) -> Tensor:
        channels = value if self.tokens is None else value.movedim(-1, 1)
        count = channels.shape[1] if channels.dim() > 1 else 0
        units = self.unit if isinstance(self.unit, tuple) else (self.unit,)
        if not all(-count <= unit < count for unit in units):
            raise TargetError(
                str(self), f"a value of shape {tuple(value.shape)}", self._range(value, count), "Ask for one of those.",
            )  # fmt: skip
        maps = channels[:, self.unit] if isinstance(self.unit, int) else channels[torch.arange(len(channels)), list(self.unit)]
        if self.tokens is not None:
            maps = self._selected(maps)
        if self.position is not None:
            return self._at(maps, self.position)
        return maps.flatten(1).mean(1) if maps.dim() > 1 else maps

    def _range(self, value: Tensor, count: int) -> str:
        where = "" if value.dim() < 3 else " along the second axis" if self.tokens is None else " along the last axis"
        return f"channels run 0-{count - 1}{where}" if count else "it has no channels"

    def take(self, rows: Sequence[int]) -> Channel:
        return replace(self, unit=tuple(self.unit[row] for row in rows)) if isinstance(self.unit, tuple) else self

    def _selected(self, maps: Tensor) -> Tensor:
        """The activations of the selected tokens."""
        if maps.dim() < 2 or (maps.dim() > 2 and self.tokens not in ("patch", "all")):
            raise TargetError(
                str(self), f"a value with {maps.dim() - 1} axes besides samples and channels",
                "tokens stand in a sequence: (batch, token, channel)",
                'Leave out tokens=, or take tokens="all" of a map (batch, height, width, channel).',
            )  # fmt: skip
        count = maps.shape[1]
        if self.tokens == "all" or maps.dim() > 2:
            return maps
        if self.tokens == "patch" and count > 1:
            return maps[:, 1:]
        index = 0 if self.tokens == "cls" else self.tokens
        if not isinstance(index, int) or not -count <= index < count:
            raise TargetError(
                str(self), f"{count} tokens", 'tokens are "patch", "cls", "all", or the number of one of them',
                "Ask for one of those.",
            )  # fmt: skip
        return maps[:, index]

    def _at(self, maps: Tensor, position: tuple[int, ...]) -> Tensor:
        sizes = tuple(maps.shape[1:])
        if len(position) != len(sizes) or not all(-n <= p < n for p, n in zip(position, sizes, strict=True)):
            raise TargetError(
                str(self), f"maps of shape {sizes}", "a position is one index per axis of the map", "Ask for one of those."
            )
        place: tuple[Any, ...] = (slice(None), *position)
        return maps[place]

    def text(self, sample: int = 0) -> str:
        unit = self.unit[sample] if isinstance(self.unit, tuple) else self.unit
        tokens = TOKENS.get(self.tokens, f" at token {self.tokens}")
        return f"channel {unit} of {self.at}{tokens}" + (f" at {self.position}" if self.position is not None else "")


@dataclass(frozen=True)
class Direction(Term):
    """The projection of a layer's activation, averaged over positions, onto a vector over its channels."""

    vector: Tensor | None = None
    axis: int | None = None

    def read(self, value: Tensor) -> Tensor:
        assert self.vector is not None
        value = value.movedim(self.axis, 1) if self.axis is not None and value.dim() > 2 else value
        if value.dim() < 2 or value.shape[1] != self.vector.numel():
            raise TargetError(
                str(self), f"a value of shape {tuple(value.shape)}",
                f"the vector has {self.vector.numel()} entries, one per channel", "Make them match.",
            )  # fmt: skip
        means = value.flatten(2).mean(2) if value.dim() > 2 else value
        return means @ self.vector.to(means)

    def text(self, sample: int = 0) -> str:
        return f"a direction in {self.at or 'the output'}"


@dataclass(frozen=True)
class Energy(Term):
    """Half the mean squared activation of a layer: the objective of DeepDream."""

    def read(self, value: Tensor) -> Tensor:
        return 0.5 * value.flatten(1).square().mean(1) if value.dim() > 1 else 0.5 * value.square()

    def text(self, sample: int = 0) -> str:
        return f"energy of {self.at or 'the output'}"


@dataclass(frozen=True)
class Function(Term):
    """Any function of the output that gives one number per sample.

    Arguments:
        samples: How many there are in the batch that is explained, once resolved.
        ordered: Whether a row's number depends on where it stands, as of functions that compare the output with a batch of their
            own: they have no answer for a batch of other rows.
    """

    fn: Callable[[Any], Tensor] | None = None
    samples: int | None = None
    ordered: bool = False

    def resolve(self, value: Tensor, names: Names | None) -> Term:
        """With what holds for this batch alone found out."""
        if len(value) < 2 or not isinstance(value, Tensor):
            return replace(self, samples=len(value))
        with torch.no_grad():
            turned, score = self.read(value.flip(0)), self.read(value)
        ordered = not torch.allclose(turned.flip(0), score, rtol=1e-3, atol=1e-5, equal_nan=True)
        return replace(self, samples=len(value), ordered=ordered)

    def take(self, rows: Sequence[int]) -> Function:
        if self.ordered and list(rows) != list(range(self.samples or 0)):
            raise self._of_one_batch(len(rows), "numbers that depend on where a row stands in the batch")
        return self

    def _of_one_batch(self, count: int, found: str) -> TargetError:
        first = "" if self.samples is None else f" and not of the {self.samples} that are explained"
        return TargetError(
            f"{self} of a batch of {count}", found,
            f"this method asks for the score of other batches as well,{first} and the function seems to hold one of its own",
            "Compute the score of a row from that row alone, explain one sample at a time, or take a method that runs the batch "
            'as it is, such as "lrp" or "gradient_x_input".',
        )  # fmt: skip

    def read(self, value: Tensor) -> Tensor:
        assert self.fn is not None
        try:
            score = self.fn(value)
        except (RuntimeError, IndexError, ValueError) as error:
            if isinstance(error, PellucidError) or self.samples in (None, len(value)):
                raise
            raise self._of_one_batch(len(value), f"{type(error).__name__}: {' '.join(str(error).split())[:150]}") from error
        if not isinstance(score, Tensor) or score.dim() != 1 or len(score) != len(value):
            shape = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
            raise TargetError(
                str(self), f"a result of shape {shape}", f"one number for each of {len(value)} samples is needed",
                "Return a tensor of shape (batch,).",
            )  # fmt: skip
        return score

    def text(self, sample: int = 0) -> str:
        return getattr(self.fn, "__name__", "a function of the output")
