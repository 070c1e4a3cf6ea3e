"""Values as they are typed: names with commas between them, and settings of methods and recipes as NAME=VALUE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pellucid.errors import MethodError

if TYPE_CHECKING:
    from pellucid.catalogue import Entry
    from pellucid.explanation.method import Method

WITH = click.option(
    "--with", "settings", multiple=True, metavar="NAME=VALUE",
    help="Change a setting of every method that has it, or METHOD:NAME=VALUE of one; `pellucid methods METHOD` lists them.",
)  # fmt: skip


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
        what = f"{option.lstrip('-').removesuffix('s')}s"
        raise MethodError(f"{option} {text!r}", f"no {what}", "there is nothing to compute", f"Name some: {option} {usual}.")
    return names


def configured(names: Sequence[str], texts: Sequence[str]) -> dict[str, Method]:
    """The methods by name, with the settings that were typed.

    Arguments:
        texts: NAME=VALUE, for every method that has such a setting, or METHOD:NAME=VALUE.

    Raises:
        MethodError: there is no such method or setting, or a value is none for it.
    """
    from pellucid.catalogue.methods import entry
    from pellucid.catalogue.settings import parsed

    entries = {name: entry(name) for name in names}
    chosen = assigned(entries, texts)
    return {name: one.make(**parsed(one, "method", chosen[name])) for name, one in entries.items()}


def assigned(entries: Mapping[str, Entry], texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Which settings go to which method, as they were typed; one that no method has, to the first, which refuses it."""
    from pellucid.catalogue.settings import settings

    found: dict[str, dict[str, str]] = {name: {} for name in entries}
    for text in texts:
        name, value = pair(text)
        one, colon, setting = name.rpartition(":")
        if colon and one not in found:
            do = f"Name one of them: {', '.join(found)}."
            raise MethodError(f"--with {text}", f"a setting of {one!r}", "that method is not asked for", do)
        having = [one] if colon else [key for key, entry in entries.items() if setting in settings(entry)]
        for key in having or list(found)[:1]:
            found[key][setting] = value
    return found


def settings_by_method(names: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Which settings each method gets, as they were typed."""
    from pellucid.catalogue.methods import entry

    return assigned({name: entry(name) for name in names}, texts)


def parse_settings(entry: Entry, texts: Sequence[str]) -> dict[str, Any]:
    """The settings of a recipe that were typed, NAME=VALUE each."""
    from pellucid.catalogue.settings import parsed

    return parsed(entry, "recipe", dict(map(pair, texts)))


def pair(text: str) -> tuple[str, str]:
    """Name and value of what was typed.

    Example:
        >>> pair("steps = 64")
        ('steps', '64')
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise MethodError(f"--with {text}", "no NAME=VALUE", "a setting has a name and a value", "Write --with steps=64, say.")
    return name, value
