"""Advice: which method to take, in a sentence with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .interval import Paired

if TYPE_CHECKING:
    from .table import Table

FEWEST = 6  # samples: of fewer, all can agree by chance with a probability above 0.05


def advice(table: Table) -> str:
    """By SRG where it was asked for, else by the first metric: the best method, if these samples tell it from the others."""
    metric = "srg" if "srg" in table.metrics else next(iter(table.metrics))
    ranked = sorted((row for row in table.rows if row["metric"] == metric and row["rank"]), key=lambda row: row["rank"])
    if not ranked:
        return f"No method could be judged by {metric}."
    best, others = ranked[0], ranked[1:]
    score = f"{best['score']:.3g}{_within(best['low'], best['high'])} by {metric} on {_samples(best['n'])}"
    if best["n"] < FEWEST:
        return f"{best['method']} is first with {score}, but so few tell nothing of others: evaluate at least {FEWEST}."
    if not _beats_chance(table, metric, best):
        return f"None of them can be told from random orders: {best['method']}, the best, has {score}."
    if not others:
        return f"{best['method']} has {score}, better than random orders, at {_cost(table, best['method'])}."
    return _chosen(table, metric, best, [row["method"] for row in others], score)


def _chosen(table: Table, metric: str, best: dict[str, Any], others: Sequence[str], score: str) -> str:
    name, found = best["method"], table.paired(metric, best["method"], others[0])
    equal = [other for other in others if not table.paired(metric, name, other).sure]
    if not equal:
        better = f"{_apart(found)} better than {others[0]}, the next (paired, p = {found.p:.2g})"
        return f"Take {name}: {score}, {better}{_also(table, name)}, at {_cost(table, name)}."
    quickest = min([name, *equal], key=lambda one: table.costs[one].seconds)
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
