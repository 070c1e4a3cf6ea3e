"""Selections: channels, heads, places and rectangles of a value inside the model, as conditions that relevance has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from .condition import Axes, Condition

Indices = tuple[int, ...]


def channels(index: int | Sequence[int] | Sequence[Sequence[int]], *, axis: int | None = None) -> Condition:
    """Channels of a layer, by number; or, for a batch, a list for each sample.

    In maps (batch, channel, height, width) they stand on axis 1, in rows of tokens (batch, token, channel) on the last; `axis`
    says so where a network has it otherwise.

    Example:
        >>> print(channels([17, 33]), "|", channels(5), "|", channels([[1], [2, 3]]).text(1))
        channels 17 and 33 | channel 5 | channels 2 and 3
    """
    listed = _listed("channels", index)
    if listed and all(isinstance(one, tuple) for one in listed):
        return Channels(tuple(_whole("channels", one) for one in listed), each=True, axis=axis)
    return Channels(_whole("channels", listed), axis=axis)


def heads(index: int | Sequence[int], of: int) -> Condition:
    """Heads of an attention, by number, in a value whose channels are those of all `of` heads one after the other.

    Example:
        >>> heads([1], of=2).mask(Axes("attention", (1, 3, 4), 0, 2)).flatten()
        tensor([False, False,  True,  True])
    """
    return Channels(_whole("heads", _listed("heads", index)), of=of)


def positions(at: int | Sequence[int] | Sequence[Sequence[int]]) -> Condition:
    """Places of a layer's map, as (row, column); or tokens of a sequence, by number.

    Example:
        >>> positions([(0, 1)]).mask(Axes("layer4", (1, 512, 2, 2), 0, 1))[0, 0]
        tensor([[False,  True],
                [False, False]])
    """
    listed = _listed("positions", at)
    return Places(tuple(_whole("positions", one if isinstance(one, tuple) else (one,)) for one in listed))


def area(top: int, left: int, bottom: int, right: int) -> Condition:
    """A rectangle of a layer's map, in its own places; bottom and right are left out."""
    return Area(*_whole("area", (top, left, bottom, right)))


def _listed(what: str, given: Any) -> tuple[Any, ...]:
    """One or several, in tuples."""
    given = given.tolist() if hasattr(given, "tolist") else given  # of PyTorch and NumPy
    if isinstance(given, (int, float)):
        return (given,)
    found = tuple(tuple(one) if isinstance(one, (list, tuple, range)) else one for one in given or ())
    if not found:
        raise _nothing(what)
    return found


def _nothing(what: str) -> InputError:
    return InputError(f"pl.{what}([])", "an empty list", "nothing would pass", "Name one at least.")


def _whole(what: str, numbers: Sequence[Any]) -> Indices:
    if not numbers:
        raise _nothing(what)
    for one in numbers:
        if isinstance(one, bool) or not isinstance(one, int):
            raise InputError(f"pl.{what}: {one!r}", f"a {type(one).__name__}", "indices are integers", "Pass whole numbers.")
    return tuple(numbers)


def _counted(what: str, items: Sequence[Any]) -> str:
    """Some things by number, the first six of many.

    Example:
        >>> _counted("channel", range(4)), _counted("channel", (1, 5, 7))
        ('channels 0-3', 'channels 1, 5 and 7')
    """
    names = [str(one) for one in items]
    if len(names) == 1:
        return f"{what} {names[0]}"
    if len(names) > 2 and all(isinstance(one, int) for one in items) and list(items) == list(range(items[0], items[-1] + 1)):
        return f"{what}s {names[0]}-{names[-1]}"
    if len(names) > 8:
        return f"{len(names)} {what}s ({', '.join(names[:6])}, ...)"
    return f"{what}s {', '.join(names[:-1])} and {names[-1]}"


@dataclass(frozen=True)
class Channels(Condition):
    """Some channels of a value, or some heads: blocks of channels that lie together.

    Arguments:
        index: Which; or with `each`, which for each sample.
        axis: The axis that counts them; None: as the value itself tells (see `pellucid.tape.axes_of`).
        of: How many heads the channels are divided into; None: channels, not heads.
    """

    index: Indices | tuple[Indices, ...]
    each: bool = False
    axis: int | None = None
    of: int | None = None

    def mask(self, axes: Axes) -> Tensor:
        axis = axes.channel if self.axis is None else self._axis(axes)
        if axis is None or axis == axes.batch:
            raise InputError(
                f"{self} of {axes.where}", f"a value of shape {axes.shape}", "its channel axis is not known",
                "Name it: pl.channels([17], axis=1).",
            )  # fmt: skip
        count = axes.shape[axis] if self.of is None else self._heads(axes, axes.shape[axis])
        if not self.each:
            row = self._row(self.index, count, axes)
            return axes.along(row.repeat_interleave(axes.shape[axis] // count), axis)
        rows = torch.stack([self._row(one, count, axes) for one in self.index])
        if axes.batch is None:
            raise InputError(
                f"{self} of {axes.where}", f"a value of shape {axes.shape}", "its samples have no axis of their own",
                "Name the same channels for all samples, or explain them one by one.",
            )  # fmt: skip
        return axes.along(rows if axes.batch < axis else rows.T, axes.batch, axis)

    def _row(self, index: Any, count: int, axes: Axes) -> Tensor:
        """Which of `count` channels, or heads, are meant."""
        wrong = [one for one in index if not -count <= one < count]
        if wrong:
            what = "channel" if self.of is None else "head"
            raise InputError(
                f"{what} {wrong[0]} of {axes.where}", f"a value of shape {axes.shape}", f"{what}s run 0-{count - 1}",
                "Ask for some of those; axis= names the channel axis.",
            )  # fmt: skip
        row = torch.zeros(count, dtype=torch.bool)
        row[[one % count for one in index]] = True
        return row

    def _axis(self, axes: Axes) -> int:
        assert self.axis is not None
        if not -len(axes.shape) <= self.axis < len(axes.shape):
            raise InputError(
                f"axis={self.axis} of {axes.where}", f"a value of shape {axes.shape}", "it has no such axis", "Name one it has."
            )
        return self.axis % len(axes.shape)

    def _heads(self, axes: Axes, count: int) -> int:
        assert self.of is not None
        if self.of < 1 or count % self.of:
            raise InputError(
                f"{self} of {axes.where}", f"{count} channels", f"they do not divide into {self.of} heads",
                "Give the number of heads of that layer: pl.heads([0], of=12).",
            )  # fmt: skip
        return self.of

    @property
    def cause(self) -> str:  # type: ignore[override]
        return "other channels" if self.of is None else "other heads"

    def check(self, samples: int) -> None:
        if self.each and len(self.index) != samples:
            raise InputError(
                f"{self}", f"{len(self.index)} lists for {samples} samples", "each sample has one", "Give one list for each."
            )

    def take(self, sample: int) -> Condition:
        index = self.index[sample] if self.each else self.index
        assert isinstance(index, tuple)
        return replace(self, index=index, each=False)

    def text(self, sample: int = 0) -> str:
        index = self.index[sample] if self.each else self.index
        assert isinstance(index, tuple)
        return _counted("channel" if self.of is None else "head", index)


@dataclass(frozen=True)
class Places(Condition):
    """Some places of a map, or some tokens of a sequence, with all their channels.

    Arguments:
        at: One index per axis of the map, for each place.
    """

    at: tuple[Indices, ...]
    cause = "other places"

    def mask(self, axes: Axes) -> Tensor:
        sizes = tuple(axes.shape[d] for d in axes.places)
        for place in self.at:
            if len(place) != len(sizes) or not all(-n <= p < n for p, n in zip(place, sizes, strict=True)):
                raise InputError(
                    f"position {place} of {axes.where}", f"places of shape {sizes}",
                    "a position is one index per axis of the map", "Ask for some of those.",
                )  # fmt: skip
        mask = torch.zeros(sizes, dtype=torch.bool)
        for place in self.at:
            mask[place] = True
        return axes.along(mask, *axes.places)

    def text(self, sample: int = 0) -> str:
        return _counted("position", [place[0] if len(place) == 1 else place for place in self.at])


@dataclass(frozen=True)
class Area(Condition):
    """A rectangle of a map, with all its channels; bottom and right are left out."""

    top: int
    left: int
    bottom: int
    right: int
    cause = "other places"

    def mask(self, axes: Axes) -> Tensor:
        sizes = tuple(axes.shape[d] for d in axes.places)
        if len(sizes) != 2 or not (0 <= self.top < self.bottom <= sizes[0] and 0 <= self.left < self.right <= sizes[1]):
            raise InputError(
                f"an area of {axes.where}, {self}", f"places of shape {sizes}",
                "an area is a rectangle of at least one place inside a map of rows and columns",
                "Name one: pl.area(top, left, bottom, right), in the places of that map.",
            )  # fmt: skip
        mask = torch.zeros(sizes, dtype=torch.bool)
        mask[self.top : self.bottom, self.left : self.right] = True
        return axes.along(mask, *axes.places)

    def text(self, sample: int = 0) -> str:
        return f"rows {self.top}-{self.bottom}, columns {self.left}-{self.right}"
