"""Settings of a recipe as they are written on the command line: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import MethodError


def read(recipe: str, known: Mapping[str, Any], written: Sequence[str]) -> dict[str, Any]:
    """Settings by name, each of the kind that its usual value is of; unknown names are left to the recipe to refuse.

    Example:
        >>> read("maco", {"crops": 4, "crop": (0.95, 0.5), "at": None}, ["crops=8", "crop=0.5,0.1", "at=head"])
        {'crops': 8, 'crop': (0.5, 0.1), 'at': 'head'}
    """
    found = {}
    for one in written:
        name, equals, value = (part.strip() for part in one.partition("="))
        if not equals or not name:
            raise MethodError(f"--with {one}", "no NAME=VALUE", "a setting has a name and a value", "Write --with steps=64, say.")
        found[name] = _like(recipe, name, known.get(name), value)
    return found


def _like(recipe: str, name: str, usual: Any, value: str) -> Any:
    """The value, as what the usual one is."""
    try:
        if isinstance(usual, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.casefold()]
        if isinstance(usual, (int, float)):
            return type(usual)(value)
        if isinstance(usual, tuple) and all(isinstance(part, (int, float)) for part in usual):
            return tuple(map(float, value.split(",")))
    except (ValueError, KeyError):
        kind = {bool: "yes or no", int: "a whole number", float: "a number", tuple: "numbers with commas between"}[type(usual)]
        raise MethodError(
            f"--with {name}={value}",
            f"recipe {recipe!r}, where it is {usual!r}",
            f"it has to be {kind}",
            "Correct it, or leave it out.",
        ) from None
    return value if usual is not None else _literal(value)


def _literal(value: str) -> Any:
    """A number where it is one, else the word."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
