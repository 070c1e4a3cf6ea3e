"""`pellucid methods`: the explanation methods, what each claims, and the paper it is from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pellucid.errors import MethodError
from . import output
from .errors import debug_option

if TYPE_CHECKING:
    from pellucid.catalogue import Entry

HEADS = ("method", "family", "signed", "what it claims", "paper", "doi")
COLUMNS = ("name", "family", "signed", "summary", "paper", "year", "doi")


@click.command()
@click.option("--family", metavar="NAME", help="Only the methods of one family: lrp, gradient, cam, perturb, ...")
@output.JSON
@debug_option
def methods(family: str | None, as_json: bool) -> None:
    """List the explanation methods by family: what each claims, and the paper it is from.

    A signed method distinguishes evidence for a class from evidence against it; an unsigned one gives magnitudes only.
    """
    entries = by_family(family)
    if as_json:
        output.print_entries(entries, COLUMNS)
    elif sys.stdout.isatty():
        print_families(entries)
    else:
        output.print_table(HEADS, [(e.name, e.family, sign(e), e.summary, f"{e.paper} {e.year}", e.doi) for e in entries])


def by_family(family: str | None) -> list[Entry]:
    """The catalogue with the members of a family together, in its own order otherwise; or one family of it."""
    from pellucid.catalogue.methods import methods

    entries = list(methods())
    families = list(dict.fromkeys(entry.family for entry in entries))
    if family is not None and family not in families:
        found, do = f"{len(families)} families, none of that name", f"Choose among {', '.join(families)}."
        raise MethodError(f"--family {family}", found, "only those can be listed", do)
    return [entry for name in families if family in (None, name) for entry in entries if entry.family == name]


def print_families(entries: Sequence[Entry]) -> None:
    """A table per family, in three columns: more fit few terminals."""
    for family in dict.fromkeys(entry.family for entry in entries):
        members = [entry for entry in entries if entry.family == family]
        click.echo(click.style(f"{family} ({len(members)})", bold=True))
        output.print_table(("", "", ""), [(f"  {e.name}", sign(e), f"{e.summary}\n{e.paper} {e.year}, {e.doi}") for e in members])
        click.echo()


def sign(entry: Entry) -> str:
    return "signed" if entry.signed else "unsigned"
