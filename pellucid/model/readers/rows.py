"""Rows of a table as dicts, from dicts, data frames and CSV files. What their columns mean: `columns.py`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.errors import InputError

MOST = 100_000  # rows of a file: an explanation is of a few


def as_rows(data: Any) -> list[dict[str, Any]]:
    """Rows as dicts, from a dict, a list of dicts, a data frame (anything with `to_dict`), or a CSV file with a head line.

    Raises:
        InputError: it is none of these, or has no rows.

    Example:
        >>> as_rows({"age": 61})
        [{'age': 61}]
    """
    if isinstance(data, (str, os.PathLike)):
        return read_csv(Path(data).expanduser())
    if isinstance(data, Mapping):
        rows: Any = [data]
    elif hasattr(data, "to_dict") and hasattr(data, "columns"):  # of pandas
        rows = data.to_dict(orient="records")
    elif hasattr(data, "to_dicts"):  # of polars
        rows = data.to_dicts()
    elif hasattr(data, "to_dict"):  # one row of pandas
        rows = [data.to_dict()]
    else:
        rows = data
    if not isinstance(rows, Sequence) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise InputError(
            "rows of a table", f"an object of type {type(data).__name__}" if rows or not isinstance(rows, Sequence) else "none",
            "a row is known by the names of its columns",
            "Give a dict, a list of dicts, a data frame, or a CSV file with a head line; a tensor needs no reading.",
        )  # fmt: skip
    return [{str(name): cell for name, cell in row.items()} for row in rows]


def read_csv(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, whose first line names the columns. Commas, semicolons and tabs are told apart.

    Raises:
        InputError: there is no such file, or no rows in it.
    """
    request, do = f"rows from {path}", "Give a CSV file whose first line names the columns."
    if not path.is_file():
        raise InputError(request, "a folder" if path.is_dir() else "no file of that name", "there is nothing to read", do)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(request, "bytes that are no text in UTF-8", "its words cannot be read", do) from None
    return parse_csv(text, request)


def parse_csv(text: str, request: str = "rows of a table") -> list[dict[str, Any]]:
    """The rows that the text of a CSV file holds.

    Raises:
        InputError: there are none, too many, or some of another length than the first line.

    Example:
        >>> parse_csv("age; kind\\n61; cat")
        [{'age': '61', 'kind': 'cat'}]
    """
    do = "Give a CSV file whose first line names the columns."
    head = text.partition("\n")[0]
    sign = max(",;\t", key=head.count)
    reader = csv.DictReader(text.splitlines(), delimiter=sign, skipinitialspace=True)
    rows = []
    for number, row in enumerate(_read(reader, request, do)):
        if None in row or None in row.values():
            found = f"{len(row) - (None in row)} names and another number of cells in row {number}"
            raise InputError(request, found, "every cell belongs to a column", "Write as many cells as the first line has names.")
        if number >= MOST:
            raise InputError(request, f"more than {MOST:,} rows", "an explanation is of a few", "Select those that are meant.")
        rows.append({name.strip(): cell.strip() for name, cell in row.items()})
    if not rows:
        raise InputError(request, "no rows below the first line", "there is nothing to explain", do)
    return rows


def _read(reader: csv.DictReader[str], request: str, do: str) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(request, f"a line that is no CSV ({error})", "its cells cannot be told apart", do) from None
