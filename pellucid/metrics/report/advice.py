"""Advice: which method to take, in a sentence with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.errors import MethodError
from .interval import Paired

if TYPE_CHECKING:
    from .table import Table

FEWEST = 6  # samples: of fewer, all can agree by chance with a probability above 0.05


def advice(table: Table) -> str:
    """By SRG where it was asked for, else by the first metric: the best method, if these samples tell it from the others."""
    metric, rows = ranked(table)
    if not rows:
        return f"No method could be judged by {metric}."
    best, others = rows[0], rows[1:]
    score = f"{best['score']:.3g}{_within(best['low'], best['high'])} by {metric} on {_samples(best['n'])}"
    if best["n"] < FEWEST:
        return f"{best['method']} is first with {score}, but so few tell nothing of others: evaluate at least {FEWEST}."
    if not _beats_chance(table, metric, best):
        return f"None of them can be told from random orders: {best['method']}, the best, has {score}."
    if not others:
        return f"{best['method']} has {score}, better than random orders, at {_cost(table, best['method'])}."
    return _chosen(table, metric, best, [row["method"] for row in others], score)


def best(table: Table) -> str:
    """The method that the advice ends in: the first, or the quickest of those that many samples do not tell from it.

    Raises:
        MethodError: none could be judged.
    """
    metric, rows = ranked(table)
    if not rows:
        raise MethodError("The best of an evaluation", advice(table), "there is none to choose", "See `failures` and `notes`.")
    name, others = rows[0]["method"], [row["method"] for row in rows[1:]]
    return name if rows[0]["n"] < FEWEST else _quickest(table, [name, *_equal(table, metric, name, others)])


def ranked(table: Table) -> tuple[str, list[dict[str, Any]]]:
    """The metric that advice goes by, and the rows of its methods, the best first."""
    metric = "srg" if "srg" in table.metrics else next(iter(table.metrics))
    rows = [row for row in table.rows if row["metric"] == metric and row["rank"]]
    return metric, sorted(rows, key=lambda row: row["rank"])


def _equal(table: Table, metric: str, name: str, others: Sequence[str]) -> list[str]:
    """Those that these samples do not tell from the best."""
    return [other for other in others if not table.paired(metric, name, other).sure]


def _quickest(table: Table, methods: Sequence[str]) -> str:
    return min(methods, key=lambda one: table.costs[one].seconds)


def _chosen(table: Table, metric: str, best: dict[str, Any], others: Sequence[str], score: str) -> str:
    name, found = best["method"], table.paired(metric, best["method"], others[0])
    equal = _equal(table, metric, name, others)
    if not equal:
        better = f"{_apart(found)} better than {others[0]}, the next (paired, p = {found.p:.2g})"
        return f"Take {name}: {score}, {better}{_also(table, name)}, at {_cost(table, name)}."
    quickest = _quickest(table, [name, *equal])
    nearest = table.paired(metric, name, equal[0])
    return (
        f"{name} is first with {score}, but these samples do not tell it from {_listed(equal)} (its difference to {equal[0]} "
        f"lies between {nearest.low:+.2g} and {nearest.high:+.2g}, p = {nearest.p:.2g}); the quickest of them is {quickest}, at "
        f"{_cost(table, quickest)}."
    )


def _beats_chance(table: Table, metric: str, row: dict[str, Any]) -> bool:
    """Whether a method is surely better than random orders; where nobody asked these, nothing speaks against it."""
    if row["floor"] is None:
        return True
    found = table.paired(metric, row["method"])
    return found.sure and (found.difference > 0) == (row["better"] == "higher")


def _also(table: Table, method: str) -> str:
    """By how many of several metrics a method is the first."""
    ranks = [row["rank"] for row in table.rows if row["method"] == method]
    return f", first by {ranks.count(1)} of {len(ranks)} metrics" if len(ranks) > 1 else ""


def _apart(found: Paired) -> str:
    low, high = sorted((abs(found.low), abs(found.high)))
    return f"{abs(found.difference):.3g}{_within(low, high)}"


def _within(low: float | None, high: float | None) -> str:
    return "" if low is None else f" [{low:.3g}, {high:.3g}]"


def _samples(n: int) -> str:
    return f"{n} sample{'s' * (n != 1)}"


def _cost(table: Table, method: str) -> str:
    return f"{table.costs[method].seconds:.2g} s per sample"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
