"""Advice: which method to use, in a sentence with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pellucid.errors import MethodError
from .interval import Paired

FEWEST = 6  # samples: of fewer, all can agree by chance with a probability above 0.05


@dataclass(frozen=True, eq=False)
class Ranking:
    """Methods by one metric, and which of them to use.

    Arguments:
        metric: Its name.
        rows: Of all metrics, as `Table.rows` has them.
        paired: How two methods differ by that metric; "random" stands for random orders.
    """

    metric: str
    rows: Sequence[Mapping[str, Any]]
    paired: Callable[..., Paired]

    @cached_property
    def ranked(self) -> list[Mapping[str, Any]]:
        """The rows of that metric, the best method first; methods without a score left out."""
        rows = [row for row in self.rows if row["metric"] == self.metric and row["rank"]]
        return sorted(rows, key=lambda row: float(row["rank"]))

    @property
    def best(self) -> str:
        """The method that the advice ends in: the first, or the fastest of those that are not significantly worse.

        Raises:
            MethodError: no method has a score.
        """
        if not self.ranked:
            raise MethodError("The best of an evaluation", self.advice, "there is none to choose", "See `failures` and `notes`.")
        first, *others = self.ranked
        return str(first["method"]) if first["n"] < FEWEST else str(self._fastest([first, *self._equal(others)])["method"])

    @property
    def advice(self) -> str:
        """The best method, if it is significantly better than random orders and than the others."""
        if not self.ranked:
            return f"No method has a score by {self.metric}."
        first, *others = self.ranked
        name = first["method"]
        samples = f"{first['n']} sample{'s' * (first['n'] != 1)}"
        score = f"{first['score']:.3g}{_within(first['low'], first['high'])} by {self.metric} on {samples}"
        if first["n"] < FEWEST:
            return f"{name} ranks first with {score}, which is too few to generalise from: evaluate at least {FEWEST}."
        if not self._beats_chance(first):
            return f"No method is significantly better than random orders: {name}, the best, has {score}."
        if not others:
            return f"{name} has {score}, better than random orders, at {_cost(first)}."
        equal = self._equal(others)
        return self._close(first, equal, score) if equal else self._clear(first, others[0], score)

    def _clear(self, first: Mapping[str, Any], second: Mapping[str, Any], score: str) -> str:
        name, other = first["method"], second["method"]
        found = self.paired(name, other)
        low, high = sorted((abs(found.low), abs(found.high)))
        better = f"{abs(found.difference):.3g}{_within(low, high)} better than {other}, the next (paired, p = {found.p:.2g})"
        ranks = [row["rank"] for row in self.rows if row["method"] == name]
        also = f", first by {ranks.count(1)} of {len(ranks)} metrics" if len(ranks) > 1 else ""
        return f"Use {name}: {score}, {better}{also}, at {_cost(first)}."

    def _close(self, first: Mapping[str, Any], equal: Sequence[Mapping[str, Any]], score: str) -> str:
        names = [str(row["method"]) for row in equal]
        nearest, fastest = self.paired(first["method"], names[0]), self._fastest([first, *equal])
        others = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        return (
            f"{first['method']} ranks first with {score}, but on these samples it is not significantly better than {others} (its "
            f"difference to {names[0]} lies between {nearest.low:+.2g} and {nearest.high:+.2g}, p = {nearest.p:.2g}); the "
            f"fastest of them is {fastest['method']}, at {_cost(fastest)}."
        )

    def _equal(self, others: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that are not significantly worse than the first."""
        return [row for row in others if not self.paired(self.ranked[0]["method"], row["method"]).sure]

    def _fastest(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return min(rows, key=lambda row: float(row["forwards"] or 0) if row["seconds"] is None else float(row["seconds"]))

    def _beats_chance(self, row: Mapping[str, Any]) -> bool:
        """Whether a method is significantly better than random orders; true where these were not measured."""
        if row["floor"] is None:
            return True
        found = self.paired(row["method"])
        return found.sure and (found.difference > 0) == (row["better"] == "higher")


def _within(low: float | None, high: float | None) -> str:
    return "" if low is None else f" [{low:.3g}, {high:.3g}]"


def _cost(row: Mapping[str, Any]) -> str:
    if row["seconds"] is None:  # of a run in many parts, whose times are not kept
        return f"{row['forwards'] or 0:.0f} forward passes per sample"
    return f"{row['seconds']:.2g} s per sample"
