"""How panels of one size stand in rows."""

from __future__ import annotations


def per_row(count: int, most: int) -> int:
    """How many of `count` panels stand in a row, so that the last row lacks as few as can be; of equals the most.

    Arguments:
        most: In one row; no row has less than half of that where there are enough panels.

    Example:
        >>> per_row(5, 6), per_row(7, 4), per_row(9, 4), per_row(2, 4)
        (5, 4, 3, 2)
    """
    choices = range(max(1, most // 2), most + 1) if count > most else (max(count, 1),)
    return min(choices, key=lambda row: (-count % row, -row))
