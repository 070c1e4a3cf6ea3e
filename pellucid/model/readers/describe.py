"""How raw things become a model's input, in words for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

READ = {"Preprocess": "pictures", "Columns": "rows", "Signal": "series", "Text": "texts"}


def describe(how: Any) -> tuple[str, str]:
    """What is read, and how: ("pictures", "short side to 256, ...").

    Example:
        >>> describe(None)
        ('pictures', 'not known how they become the input (preprocess=; --size, --resize, --mean, --std)')
    """
    if how is None:
        return "pictures", "not known how they become the input (preprocess=; --size, --resize, --mean, --std)"
    if isinstance(how, Mapping):
        return "inputs", "; ".join(f"{name}: {describe(one)[1]}" for name, one in how.items())
    return READ.get(type(how).__name__, "inputs"), str(how)
