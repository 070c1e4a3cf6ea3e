"""`pellucid models`: the networks that come along."""

from __future__ import annotations

import click

from . import say
from .door import debuggable


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per model.")
@debuggable
def models(as_json: bool) -> None:
    """The built-in models; files of yours work as well."""
    from ..zoo import MODELS

    if as_json:
        for name, summary in MODELS.items():
            say.document({"name": name, "summary": summary})
        return
    say.table(("model", "what it is"), list(MODELS.items()))
