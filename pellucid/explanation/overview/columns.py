"""Charts of the columns of a table: a beeswarm, bars, and the dependence of one column on what stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from pellucid.errors import InputError
from .about import About, few
from .chart import Bar, Bars, Cell, Chart
from .running import Interval, Numbers, Running
from .table import Column, Rows

BINS = 12  # of a column, over which the mean of a dependence plot is taken
LOW, HIGH = 0.05, 0.95  # of the rows, by what stands in a column: the ends of its colours


@dataclass(frozen=True, eq=False)
class Swarm:
    """The dots of one column: its values, and how far up between low (0) and high (1) what stands in it is; NaN: not known."""

    name: str
    values: Numbers
    level: Numbers


@dataclass(frozen=True, eq=False)
class Swarms:
    """Lines of dots, on one axis of values; `rest`: how many columns the last line is the sum of."""

    lines: tuple[Swarm, ...]
    signed: bool
    rest: int


class Stretch(NamedTuple):
    """The mean of some rows: from the lowest to the highest number that stands there, their mean, and that of the values."""

    low: float
    high: float
    middle: float
    interval: Interval


@dataclass(frozen=True, eq=False)
class Scatter:
    """The values of one column against what stands in it.

    Arguments:
        means: Of stretches of numbers, from where to where each goes and where its middle is; of categories, each at its place.
        categories: Their names; none of a column of numbers.
    """

    column: Column
    values: Numbers
    signed: bool
    means: tuple[Stretch, ...]
    categories: tuple[str, ...] = ()


def beeswarm(rows: Rows, about: About, most: int) -> Chart:
    """A line of dots per column."""
    order = rows.order()
    named = order if len(order) <= most + 1 else order[:most]
    rest = order[len(named) :]
    lines = [swarm(rows, place) for place in named]
    if rest:
        lines.append(Swarm(f"sum of {len(rest)} other columns", rows.values[:, rest].sum(1), np.full(len(rows.values), np.nan)))
    caption = (
        f"A dot for every row: its place is the evidence from the column by {about.by}, {colours(rows)}. {about.sides} Columns "
        f"with the largest mean |value| come first.{kept(rows)}"
    )
    head = "column", "mean |value|", "low", "high", "mean value", "lowest value", "highest value"
    table: tuple[tuple[Cell, ...], ...] = tuple(
        (rows.names[n], *rows.size.interval(n), float(rows.mean.mean[n]), *map(float, np.quantile(rows.values[:, n], (0, 1))))
        for n in order
    )
    data = Swarms(tuple(lines), about.signed, len(rest))
    title = f"What the columns say of {about.target}, {rows.n:,} rows"
    return Chart("beeswarm", title, caption, head, table, data, about.warnings, about.provenance)


def colours(rows: Rows) -> str:
    """What the colours of dots mean, in words."""
    if not rows.cells:
        return "and the contents of the columns are not known"
    category = any(rows.column(n).numbers is None for n in range(len(rows.names)))
    ends = f"its colour the number in the column, from the lowest {LOW:.0%} of rows to the highest {1 - HIGH:.0%}"
    return ends + (" (categories are grey)" if category else "")


def kept(rows: Rows) -> str:
    """A sentence, where not all rows are drawn."""
    some = len(rows.kept)
    return "" if rows.n == some else f" {some:,} of the {rows.n:,} rows, chosen by chance, are drawn; means are of all."


def swarm(rows: Rows, place: int) -> Swarm:
    """The dots of one column."""
    column, values = rows.column(place), rows.values[:, place]
    unknown = np.full(len(values), np.nan)
    if column.numbers is None:
        return Swarm(column.name, values, unknown)
    low, high = (float(np.quantile(column.numbers, share)) for share in (LOW, HIGH))
    level = np.clip((column.numbers - low) / (high - low), 0, 1) if high > low else np.full(len(values), 0.5)
    return Swarm(column.name, values, level)


def bars(rows: Rows, about: About, most: int) -> Chart:
    """A bar per column."""
    order = rows.order()
    named = order if len(order) <= most + 1 else order[:most]
    rest = len(order) - len(named)
    caption = (
        f"The mean size of the value of each column by {about.by} over {rows.n:,} rows, for and against alike. Thin lines are "
        f"95 % intervals of the mean{few(rows.n, 'row')}." + (f" {rest} more columns are smaller." if rest else "")
    )
    head = "column", "mean |value|", "low", "high", "mean value"
    table = tuple((rows.names[n], *rows.size.interval(n), float(rows.mean.mean[n])) for n in order)
    data = Bars(tuple(Bar(rows.names[n], rows.size.interval(n)) for n in named), False, "mean |value|")
    title = f"How much each column matters for {about.target}"
    return Chart("bars", title, caption, head, table, data, about.warnings, about.provenance)


def dependence(rows: Rows, about: About, name: str) -> Chart:
    """The values of one column over its cells.

    Raises:
        InputError: there is no such column, or its cells are not known.
    """
    place = find(rows, name)
    column, values = rows.column(place), rows.values[:, place]
    title, known = f"{name} and what it says of {about.target}, {rows.n:,} rows", column.numbers
    caption = f'A dot for every row: what stands in "{name}", and the value of the column by {about.by}. {about.sides} '
    table: list[tuple[Cell, ...]]
    if known is not None:
        means, categories = stretches(known, values), tuple[str, ...]()
        head, table = ("from", "to", "mean value", "low", "high"), [(one.low, one.high, *one.interval) for one in means]
        caption += (
            f"The line is the mean over stretches of about {max(1, len(values) // BINS)} rows, thin lines its 95 % interval."
        )
    else:
        means, categories = by_category(column, values), tuple(sorted(set(column.words)))
        head = ("category", "rows", "mean value", "low", "high")
        table = [(word, column.words.count(word), *one.interval) for word, one in zip(categories, means, strict=True)]
        caption += "Lines are the means of the categories, thin ones their 95 % intervals."
    data = Scatter(column, values, about.signed, means, categories)
    return Chart("dependence", title, caption + kept(rows), head, tuple(table), data, about.warnings, about.provenance)


def find(rows: Rows, name: str) -> int:
    """The place of a column whose cells are known.

    Raises:
        InputError: there is none.
    """
    asked = f"a dependence plot of {name!r}"
    if name not in rows.names:
        near = get_close_matches(name, rows.names, n=1)
        do = f"Did you mean {near[0]!r}?" if near else f"Take one of {', '.join(rows.names[:6])}."
        raise InputError(asked, f"{len(rows.names)} other columns", "no column has that name", do)
    if not rows.cells:
        do = "Explain rows by a model that reads them: pl.load(net, preprocess=pl.Columns(...))."
        raise InputError(asked, "values alone", "what stands in the column is not known", do)
    return rows.names.index(name)


def stretches(numbers: Numbers, values: Numbers) -> tuple[Stretch, ...]:
    """The mean of the values over stretches of the numbers, with about as many rows in each."""
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, min(BINS, len(numbers)) + 1)))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(0, len(edges) - 2))
    parts = [(numbers[place == n], values[place == n]) for n in np.unique(place)]
    return tuple(
        Stretch(float(some.min()), float(some.max()), float(some.mean()), Running.of(theirs).interval()) for some, theirs in parts
    )


def by_category(column: Column, values: Numbers) -> tuple[Stretch, ...]:
    """The mean of the values of each category, in alphabetical order."""
    words = np.array(column.words)
    every = enumerate(sorted(set(column.words)))
    return tuple(Stretch(n, n, n, Running.of(values[words == word]).interval()) for n, word in every)
