"""Condition: which part of a value inside the model relevance has to pass. Channels, heads and places: `selection.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Axes:
    """The axes of a value: which counts samples, and which channels; the others are places.

    Arguments:
        where: Where a user would look for it: "layer4".
        batch: None where samples do not have an axis of their own.

    Example:
        >>> Axes("layer4", (2, 512, 7, 7), 0, 1).places
        (2, 3)
    """

    where: str
    shape: tuple[int, ...]
    batch: int | None
    channel: int | None

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(d for d in range(len(self.shape)) if d not in (self.batch, self.channel))

    @property
    def samples(self) -> int:
        return 1 if self.batch is None else self.shape[self.batch]

    def along(self, t: Tensor, *axes: int) -> Tensor:
        """t, whose axes are these axes of the value in ascending order, in a shape that broadcasts against it."""
        return t.reshape([self.shape[d] if d in axes else 1 for d in range(len(self.shape))])


class Condition(ABC):
    """A part of a value inside. Conditions join: `a & b` is what both let pass, `~a` everything else.

    Example:
        >>> from pellucid.target.selection import area, channels
        >>> print(channels([17, 33]) & area(0, 0, 3, 7), "|", ~channels(5))
        channels 17 and 33 within rows 0-3, columns 0-7 | all but channel 5
    """

    cause = "other channels"  # the cause that the ledger names for the relevance that does not pass

    @abstractmethod
    def mask(self, axes: Axes) -> Tensor:
        """True where relevance passes: a mask that broadcasts against the value.

        Raises:
            InputError: the value has no such part.
        """

    @abstractmethod
    def text(self, sample: int = 0) -> str:
        """How captions call it for one sample."""

    def check(self, samples: int) -> None:  # noqa: B027 (most say the same for every sample)
        """Refuse conditions of another number of samples."""

    def take(self, sample: int) -> Condition:
        """The condition on one sample."""
        return self

    def __and__(self, other: Condition) -> Condition:
        return Both(self, other) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> Condition:
        return Others(self)

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class Both(Condition):
    """What both of two conditions let pass."""

    one: Condition
    other: Condition

    def mask(self, axes: Axes) -> Tensor:
        return self.one.mask(axes) & self.other.mask(axes)

    def check(self, samples: int) -> None:
        self.one.check(samples)
        self.other.check(samples)

    def take(self, sample: int) -> Condition:
        return Both(self.one.take(sample), self.other.take(sample))

    @property
    def cause(self) -> str:  # type: ignore[override]
        causes = {self.one.cause, self.other.cause}
        return causes.pop() if len(causes) == 1 else "other channels and places"

    def text(self, sample: int = 0) -> str:
        return f"{self.one.text(sample)} within {self.other.text(sample)}"


@dataclass(frozen=True)
class Others(Condition):
    """Everything that a condition keeps back."""

    one: Condition

    def mask(self, axes: Axes) -> Tensor:
        return ~self.one.mask(axes)

    def check(self, samples: int) -> None:
        self.one.check(samples)

    def take(self, sample: int) -> Condition:
        return Others(self.one.take(sample))

    @property
    def cause(self) -> str:  # type: ignore[override]
        return self.one.cause

    def text(self, sample: int = 0) -> str:
        return f"all but {self.one.text(sample)}"
