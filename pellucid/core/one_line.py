"""One line about any noun: what `repr` gives, for people who look at it in a shell, a debugger or a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from pellucid.errors.printable import printable

LONGEST = 200  # characters of a line
LONGEST_WORDS = 40  # characters of a text in it
MOST = 3  # entries of a tuple in it


def cut(text: str, most: int = LONGEST) -> str:
    """The text on one line, with an ellipsis in the middle where it is longer than `most` characters.

    Example:
        >>> cut("Table(2 methods)"), cut("abcdefghij", 5)
        ('Table(2 methods)', 'ab…ij')
    """
    text = printable(text)
    if len(text) <= most:
        return text
    last = (most - 1) // 2
    return f"{text[: most - 1 - last]}…{text[-last:]}"


def one_line(noun: Any) -> str:
    """A frozen dataclass on one line: its class, and the fields that are not what they are by default.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Box:
        ...     name: str
        ...     numbers: tuple[int, ...] = ()
        ...     __repr__ = one_line
        >>> Box("a"), Box("b", tuple(range(100)))
        (Box(name='a'), Box(name='b', numbers=(0, 1, 2, … 100 in all)))
    """
    told = [f"{one.name}={brief(getattr(noun, one.name))}" for one in fields(noun) if one.repr and not _is_default(noun, one)]
    return cut(f"{type(noun).__name__}({', '.join(told)})")


def brief(value: Any) -> str:
    """A value in few words: arrays by their shape, long texts and collections by their beginning."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} {tuple(value.shape)}"
    if isinstance(value, str):
        return repr(cut(value, LONGEST_WORDS))
    if isinstance(value, Mapping):
        return "{" + _some([f"{brief(key)}: {brief(one)}" for key, one in list(value.items())[:MOST]], len(value)) + "}"
    if isinstance(value, tuple | list):
        inside = _some([brief(one) for one in value[:MOST]], len(value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)" if len(value) == 1 else f"({inside})"
    return cut(repr(value), 2 * LONGEST_WORDS)


def _some(parts: list[str], count: int) -> str:
    return ", ".join([*parts, *([f"… {count} in all"] if count > len(parts) else [])])


def _is_default(noun: Any, one: Field[Any]) -> bool:
    """Whether a field holds its default; of arrays, whether it is the very same object."""
    value = getattr(noun, one.name)
    default = one.default_factory() if one.default_factory is not MISSING else one.default
    return value is default or (not hasattr(value, "shape") and bool(value == default))
