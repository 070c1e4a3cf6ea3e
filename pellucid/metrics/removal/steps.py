"""Steps: the numbers of removed regions at which a curve is measured."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Protocol

from pellucid.errors import InputError


class Steps(Protocol):
    """From how many regions there are to how many are gone where a curve is measured: from 0 on, none less than before."""

    def counts(self, n: int) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Every:
    """The same number of regions at every step.

    Arguments:
        by: How many; None: as many as make 224 steps of all of them, or fewer.
        most: How many steps; None: until nothing is left.
        back: Whether they are counted from where nothing is left, as when regions come in place of going.

    Example:
        >>> Every(2).counts(5), Every(2, back=True).counts(5), Every(1, most=3).counts(100), len(Every(None).counts(224 * 224))
        ((0, 2, 4, 5), (0, 1, 3, 5), (0, 1, 2, 3), 225)
    """

    by: int | None = 1
    most: int | None = None
    back: bool = False

    def __post_init__(self) -> None:
        if (self.by is not None and self.by < 1) or (self.most is not None and self.most < 1):
            raise InputError(
                f"Every(by={self.by}, most={self.most})", "a number below 1", "each step removes something", "Ask for at least 1."
            )

    def counts(self, n: int) -> tuple[int, ...]:
        by = ceil(n / 224) if self.by is None else self.by
        steps = ceil(n / by) if self.most is None else min(self.most, ceil(n / by))
        going = tuple(min(step * by, n) for step in range(steps + 1))
        return tuple(n - count for count in reversed(going)) if self.back else going


@dataclass(frozen=True)
class Log:
    """Dense where a curve falls: numbers with equal ratios, nothing and everything among them; all of them where they are few.

    Arguments:
        points: How many, beside 0; of small numbers those that round to the same are there once.

    Example:
        >>> Log(4).counts(1000), Log(4).counts(3)
        ((0, 1, 10, 100, 1000), (0, 1, 2, 3))
    """

    points: int = 15

    def __post_init__(self) -> None:
        if self.points < 2:
            raise InputError(f"Log({self.points})", "fewer than 2 points", "a curve has two ends", "Ask for 15, say.")

    def counts(self, n: int) -> tuple[int, ...]:
        if n <= self.points:
            return tuple(range(n + 1))
        return tuple(sorted({0} | {round(n ** (i / (self.points - 1))) for i in range(self.points)}))


@dataclass(frozen=True)
class Shares:
    """Nothing, and shares of the regions, each at least one region; of few regions several shares are the same number.

    Arguments:
        shares: In (0, 1].
        back: Whether these shares are left, in place of gone.

    Example:
        >>> Shares((0.1, 0.5)).counts(25), Shares((0.1, 0.5), back=True).counts(25)
        ((0, 2, 12), (0, 13, 23))
    """

    shares: tuple[float, ...]
    back: bool = False

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise InputError(
                f"Shares({self.shares})", "numbers outside of (0, 1]", "they are shares of the regions",
                "Ask for (0.1, 0.5), say.",
            )  # fmt: skip

    def counts(self, n: int) -> tuple[int, ...]:
        chosen = [min(n, max(1, round(share * n))) for share in self.shares]
        return (0, *sorted(n - count if self.back else count for count in chosen))
