"""Rows of a table as text, Markdown and CSV, for evaluations and suites."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from pellucid.errors.printable import in_csv, in_markdown


def columns(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """One line per row, columns below one another.

    Example:
        >>> columns(("method", "n"), [("lrp", "12")])
        ['method  n', 'lrp     12']
    """
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *cells))
    return [line.rstrip() for line in lines]


def markdown(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose first two columns are words, and the others numbers.

    Example:
        >>> markdown(("metric", "method", "n"), [("srg", "lrp", "12")])
        ['| metric | method | n |', '|---|---|--:|', '| srg | lrp | 12 |']
    """
    lines = ["| " + " | ".join(map(in_markdown, row)) + " |" for row in (heads, *cells)]
    return [lines[0], "|---|---|" + "--:|" * (len(heads) - 2), *lines[1:]]


def comma_separated(rows: Sequence[dict[str, Any]], names: Sequence[str] = ()) -> str:
    """The text of a CSV file, one line per row; empty where there is no number.

    Arguments:
        names: What stands above columns where there is no row.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else list(names))
    writer.writeheader()
    writer.writerows({name: in_csv(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def plain(values: Any) -> list[float | None] | None:
    """Numbers as JSON can hold them: None where there is none."""
    return None if values is None else [value if value == value else None for value in values.tolist()]
