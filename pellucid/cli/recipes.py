"""`pellucid recipes`: the maximization recipes, what each does, its settings, and the paper it is from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import output
from .errors import debug_option

if TYPE_CHECKING:
    from pellucid.catalogue import Entry

HEADS = ("recipe", "what it does", "paper", "doi")
COLUMNS = ("name", "summary", "paper", "year", "doi", "data")
PLAIN = (int, float, str, tuple, type(None))


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@output.JSON
@debug_option
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes of `pellucid maximize`: what each does, and the paper it is from. Of one NAME, also the settings.

    `pellucid maximize TARGET --recipe NAME --with SETTING=VALUE` changes a setting.
    """
    from pellucid.catalogue.recipes import entry, recipes

    if name is not None:
        return print_recipe(entry(name), as_json)
    if as_json:
        output.print_entries(recipes(), COLUMNS)
    elif sys.stdout.isatty():
        output.print_table(("", ""), [(e.name, f"{e.summary}\n{source(e)}") for e in recipes()])
    else:
        output.print_table(HEADS, [(e.name, e.summary, f"{e.paper} {e.year}", e.doi) for e in recipes()])


def print_recipe(entry: Entry, as_json: bool) -> None:
    """One recipe and its settings."""
    settings = entry.settings()
    if as_json:
        plain = {name: value if isinstance(value, PLAIN) else str(value) for name, value in settings.items()}
        return output.print_json({column: getattr(entry, column) for column in COLUMNS} | {"settings": plain})
    click.echo(f"{entry.name}: {entry.summary} ({source(entry)})")
    output.print_table(("setting", "default"), [(name, repr(value)) for name, value in settings.items()])


def source(entry: Entry) -> str:
    return f"{entry.paper} {entry.year}{f', {entry.doi}' if entry.doi else ''}"
