"""Values as they are typed: names with commas between them, and settings of a recipe as NAME=VALUE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from pellucid.errors import MethodError


def split(text: str) -> list[str]:
    """The names in a list with commas, each once.

    Example:
        >>> split("lrp, gradient,,lrp")
        ['lrp', 'gradient']
    """
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def split_names(text: str, option: str, usual: str) -> list[str]:
    """The names in the list of an option, which has to have one at least; `usual` is an example of it."""
    names = split(text)
    if not names:
        raise MethodError(
            f"{option} {text!r}", f"no {option.lstrip('-')}", "there is nothing to compute", f"Name some: {option} {usual}."
        )
    return names


def parse_settings(
    recipe: str, defaults: Mapping[str, Any], texts: Sequence[str], kinds: Mapping[str, type] | None = None
) -> dict[str, Any]:
    """Settings by name, each of the type of its default; unknown names are left to the recipe to refuse.

    Arguments:
        recipe: Its name, for error messages.
        defaults: Its settings with their defaults.
        texts: What was typed, NAME=VALUE each.
        kinds: The types of the numbers among those whose default is None; others are taken as they read.

    Example:
        >>> parse_settings("maco", {"crops": 4, "crop": (0.95, 0.5), "at": None}, ["crops=8", "crop=0.5,0.1", "at=head"])
        {'crops': 8, 'crop': (0.5, 0.1), 'at': 'head'}
    """
    settings = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise MethodError(
                f"--with {text}", "no NAME=VALUE", "a setting has a name and a value", "Write --with steps=64, say."
            )
        default = defaults.get(name)
        kind = (kinds or {}).get(name, type(None)) if default is None else type(default)
        try:
            settings[name] = parse(kind, default, value)
        except (ValueError, KeyError):
            raise MethodError(
                f"--with {name}={value}", f"recipe {recipe!r}, whose default is {default!r}",
                f"it has to be {expected(kind, default)}",
                "Correct it, or leave it out.",
            ) from None  # fmt: skip
    return settings


def parse(kind: type, default: Any, value: str) -> Any:
    """The value, of the type of the default."""
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.casefold()]
    if kind is int:
        return int(value)
    if kind is float:
        return parse_finite(value)
    if kind is tuple and all(isinstance(part, (int, float)) for part in default):
        numbers = tuple(map(parse_finite, value.split(",")))
        if len(numbers) != len(default):
            raise ValueError
        return numbers
    return value if default is not None else parse_any(value)


def expected(kind: type, default: Any) -> str:
    """What a value of that type is, in words."""
    if kind is tuple:
        return f"{len(default)} numbers with commas between"
    return {bool: "yes or no", int: "a whole number", float: "a number"}[kind]


def parse_finite(value: str) -> float:
    if not isfinite(number := float(value)):
        raise ValueError
    return number


def parse_any(value: str) -> Any:
    """A number where it is one, else the word."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
