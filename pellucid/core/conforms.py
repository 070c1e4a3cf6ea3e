"""Whether plain data from a file are of the types that a field wants."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin


def conforms(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type; numbers that are no booleans count as floats.

    Example:
        >>> conforms((1, "a"), tuple[int, str]), conforms((1, 2), tuple[str, ...]), conforms(True, int), conforms(1, float | None)
        (True, False, False, True)
    """
    kind, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if kind in (Union, UnionType):
        return any(conforms(value, part) for part in parts)
    if kind is tuple:
        if not isinstance(value, tuple):
            return False
        if parts[-1] is Ellipsis:
            return all(conforms(part, parts[0]) for part in value)
        return len(value) == len(parts) and all(map(conforms, value, parts))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, kind or hint)
