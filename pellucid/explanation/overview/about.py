"""What holds for all explanations of an overview, and the sentences about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMED = 3  # targets that a warning names


@dataclass(frozen=True, eq=False)
class About:
    """What holds for all explanations of an overview.

    Arguments:
        targets: What was explained, and of how many samples.
        broken: How many samples are left out, since their values are not finite.
        at: The layer that values belong to; None: the input.
    """

    method: str
    signed: bool
    targets: Mapping[str, int]
    broken: int
    provenance: dict[str, Any]
    at: str | None = None

    @property
    def target(self) -> str:
        """What was explained, in words."""
        return next(iter(self.targets)) if len(self.targets) == 1 else f"each sample's own target ({len(self.targets)} in all)"

    @property
    def by(self) -> str:
        """The method, and the layer."""
        return self.method + (f" at {self.at}" if self.at else "")

    @property
    def left_out(self) -> tuple[str, ...]:
        """Says so where samples are left out."""
        return (f"{self.broken} samples are left out, since their values are not finite.",) if self.broken else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader has to know beside the caption."""
        if len(self.targets) == 1:
            return self.left_out
        named = ", ".join(list(self.targets)[:NAMED]) + (", ..." if len(self.targets) > NAMED else "")
        mixed = f"The samples have {len(self.targets)} targets ({named}): a value speaks for the target of its own sample."
        return (f"{mixed} Explain one target, target=..., to ask the same of all.", *self.left_out)

    @property
    def sides(self) -> str:
        """What the sign of a value means."""
        if self.signed:
            return "Values above zero speak for the target, below zero against it."
        return "The method tells how much something matters, not for or against."


def few(n: int, what: str) -> str:
    """What ends the sentence on an interval where there is none.

    Example:
        >>> few(1, "row"), few(8, "row")
        (', which one row alone does not give', '')
    """
    return f", which one {what} alone does not give" if n == 1 else ""
