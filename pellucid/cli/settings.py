"""Settings of a recipe as they are written on the command line: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from pellucid.errors import MethodError


def read(
    recipe: str, known: Mapping[str, Any], written: Sequence[str], kinds: Mapping[str, type[int] | type[float]] | None = None
) -> dict[str, Any]:
    """Settings by name, each of the kind that its usual value is of; unknown names are left to the recipe to refuse.

    Arguments:
        recipe: Its name, for the words of a refusal.
        known: Its settings, as they are unless somebody says so.
        written: What was written, NAME=VALUE each.
        kinds: Which of those that usually are None are numbers, and of what kind; others are taken as they read.

    Example:
        >>> read("maco", {"crops": 4, "crop": (0.95, 0.5), "at": None}, ["crops=8", "crop=0.5,0.1", "at=head"])
        {'crops': 8, 'crop': (0.5, 0.1), 'at': 'head'}
    """
    found = {}
    for one in written:
        name, equals, value = (part.strip() for part in one.partition("="))
        if not equals or not name:
            raise MethodError(f"--with {one}", "no NAME=VALUE", "a setting has a name and a value", "Write --with steps=64, say.")
        usual = known.get(name)
        kind = (kinds or {}).get(name, type(None)) if usual is None else type(usual)
        try:
            found[name] = _read(kind, usual, value)
        except (ValueError, KeyError):
            raise MethodError(
                f"--with {name}={value}", f"recipe {recipe!r}, where it is {usual!r}", f"it has to be {_words(kind, usual)}",
                "Correct it, or leave it out.",
            ) from None  # fmt: skip
    return found


def _read(kind: type, usual: Any, value: str) -> Any:
    """The value, as what the usual one is."""
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.casefold()]
    if kind is int:
        return int(value)
    if kind is float:
        return _finite(value)
    if kind is tuple and all(isinstance(part, (int, float)) for part in usual):
        found = tuple(map(_finite, value.split(",")))
        if len(found) != len(usual):
            raise ValueError
        return found
    return value if usual is not None else _literal(value)


def _words(kind: type, usual: Any) -> str:
    """What a value of that kind is."""
    if kind is tuple:
        return f"{len(usual)} numbers with commas between"
    return {bool: "yes or no", int: "a whole number", float: "a number"}[kind]


def _finite(value: str) -> float:
    if not isfinite(number := float(value)):
        raise ValueError
    return number


def _literal(value: str) -> Any:
    """A number where it is one, else the word."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
