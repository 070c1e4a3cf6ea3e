"""What is known of a value without looking at it: whether it can be negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import kinds

# Of kinds that keep entries from falling below zero, those that do not.
SIGNED = frozenset({"sub", "rsub", "upsample_bicubic2d", "_upsample_bicubic2d_aa"})


def nonnegative(name: str, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any], sources: Sequence[bool]) -> bool:
    """Whether nothing an operation makes can be below zero, given the same of each value it reads.

    Example:
        >>> nonnegative("relu", "activation", (), {}, [False]), nonnegative("add", "sum", (), {}, [True, False])
        (True, False)
    """
    if name in kinds.NOT_NEGATIVE:
        return True
    if name in ("hardtanh", "clamp", "clamp_min"):
        low = kwargs.get("min", kwargs.get("min_val", args[1] if len(args) > 1 else -1.0))
        return isinstance(low, (int, float)) and low >= 0
    if name in SIGNED or not sources or kwargs.get("alpha", 1) < 0:
        return False
    if (name == "constant_pad_nd" and len(args) > 2 and args[2] < 0) or (
        name == "fill" and not (isinstance(args[1], (int, float)) and args[1] >= 0)
    ):
        return False
    return kind in ("max", "pool", "route", "sum", "product") and all(sources)
