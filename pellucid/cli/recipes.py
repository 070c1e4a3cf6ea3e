"""`pellucid recipes`: the ways to maximize, what each does, and where it comes from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import output
from .errors import debuggable

if TYPE_CHECKING:
    from pellucid.catalogue import Entry

HEADS = ("recipe", "what it does", "paper", "doi")
COLUMNS = ("name", "summary", "paper", "year", "doi", "data")
PLAIN = (int, float, str, tuple, type(None))


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per recipe.")
@debuggable
def recipes(name: str | None, as_json: bool) -> None:
    """The recipes of `pellucid maximize`: what each does, and where it comes from. Of one, also what can be set.

    `pellucid maximize --with SETTING=VALUE` sets it.
    """
    from pellucid.catalogue.recipes import entry, recipes

    if name is not None:
        return told(entry(name), as_json)
    entries = recipes()
    if as_json:
        for one in entries:
            output.document({column: getattr(one, column) for column in COLUMNS})
    elif sys.stdout.isatty():
        output.table(("", ""), [(e.name, f"{e.summary}\n{source(e)}") for e in entries])
    else:
        output.table(HEADS, [(e.name, e.summary, f"{e.paper} {e.year}", e.doi) for e in entries])


def told(one: Entry, as_json: bool) -> None:
    """One recipe and its settings."""
    settings = one.settings()
    if as_json:
        plain = {name: value if isinstance(value, PLAIN) else str(value) for name, value in settings.items()}
        return output.document({column: getattr(one, column) for column in COLUMNS} | {"settings": plain})
    click.echo(f"{one.name}: {one.summary} ({source(one)})")
    output.table(("setting", "as it is"), [(name, repr(value)) for name, value in settings.items()])


def source(one: Entry) -> str:
    return f"{one.paper} {one.year}{f', {one.doi}' if one.doi else ''}"
