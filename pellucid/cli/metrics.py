"""`pellucid metrics`: by what explanations can be judged, which values are better, and where it comes from."""

from __future__ import annotations

import click

from . import output
from .errors import debuggable

HEADS = ("metric", "family", "better", "needs", "what it asks", "paper", "doi")
COLUMNS = ("name", "family", "better", "needs", "summary", "paper", "year", "doi")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per metric.")
@debuggable
def metrics(as_json: bool) -> None:
    """The metrics by which `pellucid evaluate` judges: what each asks, which values are better, and where it comes from.

    Some need nothing but the map, some a mask that says where the truth lies, some the model, some the method itself.
    """
    from pellucid.catalogue.metrics import metrics

    entries = metrics()
    if as_json:
        for entry in entries:
            output.document({column: getattr(entry, column) for column in COLUMNS})
    else:
        output.table(HEADS, [(e.name, e.family, e.better, e.needs, e.summary, f"{e.paper} {e.year}", e.doi) for e in entries])
