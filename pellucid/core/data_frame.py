"""Rows as a data frame of pandas, where it is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pellucid.errors import MissingExtra


def data_frame(rows: Iterable[Mapping[str, Any] | Sequence[Any]], columns: Sequence[str] | None = None) -> Any:
    """A line for each row, as a `pandas.DataFrame`.

    Arguments:
        columns: What the columns are called, where rows are no mappings.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        why, do = (
            "a data frame is a table of pandas",
            "Install it with: pip install 'pellucid[notebook]'. Or read .rows, or save a .csv.",
        )
        raise MissingExtra("frame()", "no package pandas", why, do) from None
    return pandas.DataFrame(list(rows), columns=None if columns is None else list(columns))
