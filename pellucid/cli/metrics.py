"""`pellucid metrics`: the evaluation metrics, which values are better, and the paper each is from."""

from __future__ import annotations

import click

from . import output
from .errors import debug_option

HEADS = ("metric", "family", "better", "needs", "what it asks", "paper", "doi")
COLUMNS = ("name", "family", "better", "needs", "summary", "paper", "year", "doi")


@click.command()
@output.JSON
@debug_option
def metrics(as_json: bool) -> None:
    """List the metrics of `pellucid evaluate`: what each asks, which values are better, and the paper it is from.

    Some need only the map, some a mask of where the evidence is known to be, some the model, some the explanation method.
    """
    from pellucid.catalogue.metrics import metrics

    if as_json:
        output.print_entries(metrics(), COLUMNS)
    else:
        rows = [(e.name, e.family, e.better, e.needs, e.summary, f"{e.paper} {e.year}", e.doi) for e in metrics()]
        output.print_table(HEADS, rows)
