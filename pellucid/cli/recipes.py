"""`pellucid recipes`: the ways to maximize, what each does, and where it comes from."""

from __future__ import annotations

import sys

import click

from . import say
from .door import debuggable

HEADS = ("recipe", "what it does", "paper", "doi")
COLUMNS = ("name", "summary", "paper", "year", "doi", "data")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per recipe.")
@debuggable
def recipes(as_json: bool) -> None:
    """The recipes of `pellucid maximize`: what each does, and where it comes from."""
    from ..cookbook import recipes

    entries = recipes()
    if as_json:
        for entry in entries:
            say.document({column: getattr(entry, column) for column in COLUMNS})
    elif sys.stdout.isatty():
        told = [(e.name, f"{e.summary}\n{e.paper} {e.year}{f', {e.doi}' if e.doi else ''}") for e in entries]
        say.table(("", ""), told)
    else:
        say.table(HEADS, [(e.name, e.summary, f"{e.paper} {e.year}", e.doi) for e in entries])
