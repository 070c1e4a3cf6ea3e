"""Numbers without names: arrays, and lists of numbers, whose entries stand in the order of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.errors import InputError


def is_numbers(data: Any) -> bool:
    """Whether this is an array, or rows as lists; data frames and dicts have names.

    Example:
        >>> is_numbers(np.zeros((2, 3))), is_numbers([[61, "yes"]]), is_numbers([61.0, 2.0]), is_numbers([{"age": 61}])
        (True, True, True, False)
    """
    if isinstance(data, np.ndarray):
        return data.dtype.names is None
    if not isinstance(data, Sequence) or isinstance(data, str) or not data:
        return False
    first = data[0]
    return isinstance(first, (int, float, np.generic)) or (not isinstance(first, (str, Mapping)) and is_numbers(first))


def named_rows(data: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as dicts, from cells in the order of the columns.

    Raises:
        InputError: there are not as many cells as columns.

    Example:
        >>> named_rows(np.array([[61.0, 2.0]]), ["age", "dose"])
        [{'age': 61.0, 'dose': 2.0}]
    """
    rows = data.tolist() if isinstance(data, np.ndarray) else [_plain(row) for row in data]
    rows = rows if rows and isinstance(rows[0], list) else [rows]
    wrong = next((row for row in rows if not isinstance(row, list) or len(row) != len(names)), None)
    if wrong is not None or not rows:
        shape = f"shape {data.shape}" if isinstance(data, np.ndarray) else f"a row of {len(wrong or [])} cells"
        raise InputError(
            "rows of a table", shape, f"the model reads {len(names)} columns, and cells without names stand in their order",
            "Give (row, column), with a cell for every column; a dict or a data frame names them.",
        )  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in rows]


def _plain(row: Any) -> Any:
    return row.tolist() if hasattr(row, "tolist") else list(row) if isinstance(row, (list, tuple)) else row
