"""Setting: what can be changed of a method or recipe, as its signature declares and its docstring explains it.

Values are typed as text: "64", "yes", "16,8", "none". What only Python can say (tensors, functions) is no setting.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, cleandoc, getmro, isclass, signature
from math import isfinite
from pkgutil import resolve_name
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pellucid.errors import MethodError
from .entry import Entry

VERBS_SET = {"name", "signed", "notes", "entries", "fitted", "opened", "only", "strict", "table", "written"}
LIKE = re.compile(r"^As in `(\w+)`")
MEANINGS = {  # of settings that many methods share and few explain
    "alpha": "The weight of the ridge.",
    "batch": "How many samples run at once; none: as many as fit.",
    "bias": "What becomes of the share of biases.",
    "centred": "Whether the map's mean is taken off first.",
    "draws": "Random draws for what is taken away, where it is filled by chance.",
    "eps": "The stabiliser, which keeps sums from zero.",
    "gamma": "How much more contributions of the sign of their sum weigh.",
    "high": "The highest value a pixel can have; none: as the model reads pictures.",
    "low": "The lowest value a pixel can have; none: as the model reads pictures.",
    "minutes": "How long it may take.",
    "n": "How many copies or draws the mean is over.",
    "relative": "Whether the stabiliser is a share of the size of the sum.",
    "seed": "Of what is drawn at random.",
    "sigma": "The standard deviation of the noise, as a share of the range of the input.",
    "silent": "What becomes of relevance where nothing contributed.",
    "tol": "Stop early, or go on, until the error is below this share; none: take the number given.",
}


@dataclass(frozen=True)
class Setting:
    """One thing that can be changed of a method or recipe.

    Arguments:
        name: As it is typed.
        default: What holds where nothing is said.
        kind: Its type, as the signature has it.
        meaning: What it does, in a sentence or two; "" where nothing is written.
    """

    name: str
    default: Any
    kind: Any
    meaning: str = ""

    def parse(self, text: str) -> Any:
        """The value that is typed.

        Raises:
            ValueError: it is of another type.

        Example:
            >>> Setting("window", None, int | tuple[int, ...] | None).parse("16,8"), Setting("plain", False, bool).parse("yes")
            ((16, 8), True)
        """
        for parse in readers(self.kind):
            try:
                return parse(text)
            except (ValueError, KeyError):
                continue
        raise ValueError(text)

    @property
    def expected(self) -> str:
        """What a value is, in words.

        Example:
            >>> Setting("window", None, int | tuple[int, ...] | None).expected
            'a whole number, whole numbers with commas between or none'
        """
        words = [word for kind in typable(self.kind) if (word := described(kind))]
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def settings(entry: Entry) -> dict[str, Setting]:
    """What can be typed for a method or recipe, by name."""
    factory = resolve_name(entry.factory)
    words = meanings(factory)
    found = (
        Setting(name, one.default, declared(one, factory), words.get(name) or MEANINGS.get(name, ""))
        for name, one in signature(factory).parameters.items()
        if name not in VERBS_SET and one.default is not Parameter.empty
    )
    return {setting.name: setting for setting in found if any(kind is not NoneType for kind in typable(setting.kind))}


def parsed(entry: Entry, what: str, values: dict[str, str]) -> dict[str, Any]:
    """The values that were typed for an entry's settings.

    Raises:
        MethodError: there is no such setting, or a value is of another type.
    """
    known = settings(entry)
    return {name: _parsed(entry, what, known, name, value) for name, value in values.items()}


def _parsed(entry: Entry, what: str, known: dict[str, Setting], name: str, value: str) -> Any:
    asked, do = f"--with {name}={value}", f"`pellucid {what}s {entry.name}` lists them with what they mean."
    if name not in known:
        listed = ", ".join(f"{one.name}={one.default!r}" for one in known.values())
        found = f"{what} {entry.name!r} with the settings {listed}" if known else f"{what} {entry.name!r} without settings"
        raise MethodError(asked, found, "only these can be set", do)
    try:
        return known[name].parse(value)
    except ValueError:
        found = f"{what} {entry.name!r}, whose default is {known[name].default!r}"
        raise MethodError(asked, found, f"it has to be {known[name].expected}", "Correct it, or leave it out.") from None


# -- types as signatures have them --------------------------------------------------------------------------------------------


def declared(parameter: Parameter, factory: Any) -> Any:
    """The type of a parameter, or of its default; `Any` where its names are not to be had while the program runs."""
    if parameter.annotation is Parameter.empty:
        return type(parameter.default)
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    homes = [sys.modules[one.__module__] for one in (getmro(factory) if isclass(factory) else [factory])]
    for home in homes:
        try:
            return eval(parameter.annotation, dict(vars(home)))  # the annotations are our own code
        except NameError:
            continue
    return Any


def typable(kind: Any) -> tuple[Any, ...]:
    """Those members of a type whose values can be typed, numbers before words.

    Example:
        >>> typable(str | int | list | None)
        (<class 'int'>, <class 'str'>, <class 'NoneType'>)
    """
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(sorted((part for part in parts if described(part)), key=lambda part: list(WORDS).index(_plain(part))))


def _plain(kind: Any) -> Any:
    """A type without its arguments: what `WORDS` is by."""
    origin = get_origin(kind)
    return tuple if origin is Sequence else kind if origin is None else origin


WORDS: dict[Any, str] = {
    Literal: "one of {}", bool: "yes or no", int: "a whole number", float: "a number", tuple: "{} with commas between",
    str: "a word", NoneType: "none",
}  # fmt: skip
SEVERAL = {int: "whole numbers", float: "numbers", str: "names"}


def described(kind: Any) -> str:
    """What a value of a type is, in words; "" of types whose values cannot be typed."""
    plain = _plain(kind)
    if plain is Literal:
        return WORDS[Literal].format(", ".join(map(str, get_args(kind))))
    if plain is tuple:
        several = SEVERAL.get((get_args(kind) or (Any,))[0], "")
        count = f"{len(get_args(kind))} {several.removeprefix('whole ')}" if _fixed(kind) else several
        return WORDS[tuple].format(count) if several else ""
    return WORDS.get(plain, "") if isinstance(plain, type) else ""


def readers(kind: Any) -> list[Callable[[str], Any]]:
    """What reads values of a type from text, in the order to be tried."""
    kinds = typable(kind)
    none = [_none] if NoneType in kinds else []
    return [*none, *(_reader(one) for one in kinds if one is not NoneType)]


def _reader(kind: Any) -> Callable[[str], Any]:
    plain = _plain(kind)
    if plain is Literal:
        return {str(value): value for value in get_args(kind)}.__getitem__
    if plain is tuple:
        return partial(_several, _reader(get_args(kind)[0]), len(get_args(kind)) if _fixed(kind) else None)
    plains: dict[Any, Callable[[str], Any]] = {bool: _truth, int: int, float: _finite, str: str}
    return plains[plain]


def _fixed(kind: Any) -> bool:
    """Whether a tuple has a number of parts that is known: tuple[float, float]."""
    return get_origin(kind) is tuple and Ellipsis not in get_args(kind)


def _several(part: Callable[[str], Any], count: int | None, text: str) -> tuple[Any, ...]:
    found = tuple(part(piece.strip()) for piece in text.split(",") if piece.strip())
    if not found or count not in (None, len(found)):
        raise ValueError(text)
    return found


def _none(text: str) -> None:
    if text.casefold() != "none":
        raise ValueError(text)


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.casefold()]


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(text)
    return number


# -- meanings as docstrings have them -----------------------------------------------------------------------------------------


def meanings(factory: Any) -> dict[str, str]:
    """What each argument of a function or class means, from the docstrings of it and its parents.

    Example:
        >>> def f(a, b, c):
        ...     '''Do it.
        ...
        ...     Arguments:
        ...         a, b: How many,
        ...             in pixels.
        ...         c: Whether twice.
        ...     '''
        >>> meanings(f)
        {'a': 'How many, in pixels.', 'b': 'How many, in pixels.', 'c': 'Whether twice.'}
    """
    found: dict[str, str] = {}
    for one in getmro(factory) if isclass(factory) else (factory,):
        found = {name: _followed(text, name, one) for name, text in explained(one.__doc__ or "").items()} | found
    return found


def _followed(text: str, name: str, source: Any) -> str:
    """A meaning, or what stands where it points: "As in `kernel_shap`."."""
    pointer, package = LIKE.match(text), source.__module__
    while pointer and (package := package.rpartition(".")[0]):
        if hasattr(sys.modules[package], pointer[1]):
            return meanings(getattr(sys.modules[package], pointer[1])).get(name, text)
    return text


def explained(docstring: str) -> dict[str, str]:
    """The entries of the section "Arguments:" of a docstring, each under every name it is for."""
    section = re.search(r"^Arguments:\n((?: {4}.*\n?|\n)*)", cleandoc(docstring), re.MULTILINE)
    entries = re.split(r"^ {4}(?=\S)", section[1], flags=re.MULTILINE)[1:] if section else []
    pairs = [entry.partition(": ") for entry in entries]
    return {name.strip(): " ".join(text.split()) for names, _, text in pairs for name in names.split(",")}
