"""What many rows of a table say: the values of some of them, and the means of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pellucid.model.modality.table import Table
from ..explanation import Explanation
from .running import Numbers, Running

KEPT = 2_000  # rows whose values are kept, drawn by chance where there are more


@dataclass(frozen=True, eq=False)
class Column:
    """What stands in one column, over the rows that are kept.

    Arguments:
        words: In each row, as it is read.
        numbers: The same as numbers; NaN for words. None for a category.
    """

    name: str
    words: tuple[str, ...]
    numbers: Numbers | None

    @property
    def unit(self) -> str:
        """Of its numbers."""
        return self.words[0].partition(" ")[2] if self.numbers is not None and self.words else ""


@dataclass(frozen=True, eq=False)
class Rows:
    """What was collected of many rows.

    Arguments:
        names: Of the columns.
        category: Which of them take several entries of the input, and are no numbers.
        size: Of the means of |value|, column by column, over all rows.
        mean: Of the values themselves.
        values: Of the rows that are kept, with shape (row, column).
        cells: What stands in them; none where that is not known.
        kept: Their numbers among all rows.
    """

    names: tuple[str, ...]
    category: tuple[bool, ...]
    size: Running
    mean: Running
    values: Numbers
    cells: tuple[tuple[str, ...], ...]
    kept: NDArray[np.int64]

    @property
    def n(self) -> int:
        return self.size.n

    def order(self) -> list[int]:
        """The columns, those with the largest mean |value| first."""
        return [int(place) for place in np.argsort(-self.size.mean, kind="stable")]

    def column(self, place: int) -> Column:
        words = tuple(row[place] for row in self.cells)
        numbers = None if self.category[place] or not words else as_numbers(words)
        return Column(self.names[place], words, numbers)


def as_numbers(words: Sequence[str]) -> Numbers | None:
    """Cells as numbers, units left out; None where one is a word.

    Example:
        >>> as_numbers(["61 years", "48"]), as_numbers(["yes", "2"])
        (array([61., 48.]), None)
    """
    try:
        return np.array([float(word.partition(" ")[0]) for word in words], dtype=np.float64)
    except ValueError:
        return None


def collect(rows: Rows | None, e: Explanation) -> Rows:
    """What was collected, with the rows of one more explanation."""
    values = per_column(e)
    table = e.subject if isinstance(e.subject, Table) else None
    if rows is None:
        names = table.names if table is not None else tuple(f"feature {n}" for n in range(values.shape[1]))
        category = tuple(width > 1 for width in table.widths) if table is not None else (False,) * len(names)
        empty = np.zeros((0, len(names))), (), np.zeros(0, dtype=np.int64)
        rows = Rows(names, category, Running.of(np.abs(values)), Running.of(values), *empty)
    else:
        rows = replace(rows, size=rows.size.add(np.abs(values)), mean=rows.mean.add(values))
    numbers = np.arange(rows.n - len(values), rows.n)
    cells = table.cells if table is not None else ()
    return thinned(replace(
        rows, values=np.concatenate([rows.values, values]), cells=(*rows.cells, *cells),
        kept=np.concatenate([rows.kept, numbers]),
    ))  # fmt: skip


def per_column(e: Explanation) -> Numbers:
    """The value of every column of every row, with shape (row, column); of an unsigned method its size."""
    values = e.values.detach().cpu().double().flatten(1).numpy()
    if isinstance(e.subject, Table):
        starts = np.concatenate([[0], np.cumsum(e.subject.widths)[:-1]])
        values = np.add.reduceat(values, starts, axis=1) / (np.array(e.subject.widths) if e.shared else 1)
    return values if e.signed else np.abs(values)


def thinned(rows: Rows) -> Rows:
    """The rows that are kept: all of few; of many those whose numbers, shuffled by a fixed seed, come first."""
    if len(rows.kept) <= KEPT:
        return rows
    rank = _ranks(rows.kept)
    chosen = np.sort(np.argsort(rank, kind="stable")[:KEPT])
    cells = tuple(rows.cells[place] for place in chosen) if rows.cells else ()
    return replace(rows, values=rows.values[chosen], cells=cells, kept=rows.kept[chosen])


def _ranks(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A number for each row that looks random, and is the same in whatever parts the rows come: SplitMix64 of its place."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def finite_rows(e: Explanation) -> list[int]:
    """The samples whose values are all finite."""
    return torch.nonzero(e.values.flatten(1).isfinite().all(1)).flatten().tolist()
