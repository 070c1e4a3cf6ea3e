"""`pellucid methods`: what can be asked for, what it claims, and where it comes from."""

from __future__ import annotations

import sys

import click

from . import say
from .door import debuggable

HEADS = ("method", "signed", "what it claims", "paper", "doi")
COLUMNS = ("name", "signed", "summary", "paper", "year", "doi")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per method.")
@debuggable
def methods(as_json: bool) -> None:
    """The methods: what each claims, and where it comes from."""
    from ..catalogue import methods

    if as_json:
        for entry in methods():
            say.document({column: getattr(entry, column) for column in COLUMNS})
        return
    rows = [(e.name, "yes" if e.signed else "no", e.summary, f"{e.paper} {e.year}", e.doi) for e in methods()]
    if sys.stdout.isatty():  # five columns fit few terminals
        say.table(HEADS[:3], [(name, signed, f"{claim}\n{paper}, {doi}") for name, signed, claim, paper, doi in rows])
    else:
        say.table(HEADS, rows)
