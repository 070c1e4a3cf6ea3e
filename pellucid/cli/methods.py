"""`pellucid methods`: what can be asked for, what it claims, and where it comes from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pellucid.errors import MethodError
from . import output
from .errors import debuggable

if TYPE_CHECKING:
    from pellucid.catalogue import Entry

HEADS = ("method", "family", "signed", "what it claims", "paper", "doi")
COLUMNS = ("name", "family", "signed", "summary", "paper", "year", "doi")


@click.command()
@click.option("--family", metavar="NAME", help="Only those of one family: lrp, gradient, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per method.")
@debuggable
def methods(family: str | None, as_json: bool) -> None:
    """The methods, family by family: what each claims, and where it comes from.

    Signed ones tell evidence for from evidence against; of unsigned ones only sizes are known.
    """
    entries = grouped(family)
    if as_json:
        for entry in entries:
            output.document({column: getattr(entry, column) for column in COLUMNS})
    elif sys.stdout.isatty():
        by_family(entries)
    else:
        output.table(HEADS, [(e.name, e.family, told(e), e.summary, f"{e.paper} {e.year}", e.doi) for e in entries])


def grouped(family: str | None) -> list[Entry]:
    """The catalogue with the members of a family together, in its own order otherwise; or one family of it."""
    from pellucid.catalogue.methods import methods

    entries = list(methods())
    families = list(dict.fromkeys(entry.family for entry in entries))
    if family is not None and family not in families:
        raise MethodError(f"--family {family}", f"{len(families)} families, none of that name", "only those can be listed",
                          f"Choose among {', '.join(families)}.")  # fmt: skip
    return [entry for name in families if family in (None, name) for entry in entries if entry.family == name]


def by_family(entries: Sequence[Entry]) -> None:
    """A table per family, in three columns: more fit few terminals."""
    for family in dict.fromkeys(entry.family for entry in entries):
        ours = [entry for entry in entries if entry.family == family]
        click.echo(click.style(f"{family} ({len(ours)})", bold=True))
        output.table(("", "", ""), [(f"  {e.name}", told(e), f"{e.summary}\n{e.paper} {e.year}, {e.doi}") for e in ours])
        click.echo()


def told(entry: Entry) -> str:
    return "signed" if entry.signed else "unsigned"
