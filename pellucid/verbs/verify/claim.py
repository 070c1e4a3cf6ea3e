"""Claim: one property that explanations rely on, with what was measured. Verification: all of them for one network and input."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pellucid.core.data_frame import data_frame
from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.numbers import figure
from pellucid.core.one_line import cut
from pellucid.metrics.report.format import columns


class Claim(NamedTuple):
    """One property that explanations of a network rely on.

    Arguments:
        claim: What should hold, as a sentence.
        holds: Whether it does; None where it could not be measured.
        measured: How far it is off, as a share or a count; None where it could not be measured.
        bound: The most for which it holds.
        do: What follows, and what to do about it; why it could not be measured; "" where it holds.
    """

    claim: str
    holds: bool | None
    measured: float | None
    bound: float
    do: str = ""

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "FAILS", None: "not measured"}[self.holds]


@dataclass(frozen=True)
class Verification(Displayed):
    """What was checked of a network with one input; `print(verification)` shows it.

    Arguments:
        model: The name of the model.
        claims: What was checked, in order.
        provenance: What was asked.

    Example:
        >>> found = Verification("net", (Claim("Two calls give the same output.", True, 0.0, 0.0),))
        >>> found.holds, [claim.measured for claim in found]
        (True, [0.0])
    """

    kind: ClassVar[str] = "verification"

    model: str
    claims: tuple[Claim, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.html or .json), whole or not at all."""
        return save(self, path, "verification", **options)

    @property
    def holds(self) -> bool:
        """Whether nothing fails."""
        return not self.failures

    @property
    def failures(self) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.holds is False)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The claims as plain data: claim, holds, measured, bound, do."""
        return [claim._asdict() for claim in self.claims]

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims)

    def __len__(self) -> int:
        return len(self.claims)

    def __getitem__(self, number: int) -> Claim:
        return self.claims[number]

    def cells(self) -> list[tuple[str, ...]]:
        """The claims as texts: claim, verdict, measured, bound."""
        return [(c.claim, c.verdict, "" if c.measured is None else figure(c.measured), figure(c.bound)) for c in self.claims]

    def advice(self) -> list[str]:
        """What follows from the claims that fail or could not be measured, a line each."""
        return [f"{claim.claim} {claim.do}" for claim in self.claims if claim.do]

    def __str__(self) -> str:
        table = columns(("claim", "verdict", "measured", "bound"), self.cells())
        return "\n".join([*table, *(["", *self.advice()] if self.advice() else [])])

    def __repr__(self) -> str:
        holding = sum(claim.holds is True for claim in self.claims)
        return cut(f"Verification({self.model}: {holding} of {len(self.claims)} claims hold, {len(self.failures)} fail)")

    def frame(self) -> Any:
        """The claims as a `pandas.DataFrame`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return data_frame(self.rows)
