"""`pellucid inspect`: what a model is, what runs in it, which rule relevance takes where, and which methods can explain it."""

from __future__ import annotations

import click

from . import allocator, output
from .errors import debuggable
from .model_options import Numbers, Source, check_computes, check_reads_pictures, takes_source
from .progress import Watch


@click.command(short_help="What a model is, and which methods and rules it gets.")
@click.argument("model", metavar="MODEL")
@click.argument("picture", required=False, metavar="[PICTURE]")
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="Whose rules are shown.")
@click.option("--shape", type=Numbers(int), metavar="N,C,H,W", help="Shape of the input, where the model does not say.")
@click.option("--depth", type=int, default=2, show_default=True, metavar="N", help="How deep the list of layers goes.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one line of JSON.")
@takes_source
@debuggable
def inspect(picture: str | None, method: str, shape: tuple[int, ...] | None, depth: int, as_json: bool, source: Source) -> None:
    """What a MODEL is: its input, classes and layers, which rule relevance takes where, and which methods work on it.

    The layers are those that ran on PICTURE, or on an input of zeros. MODEL is one of `pellucid models`, a file, or a name of a
    hub.
    """
    allocator.settle()
    with Watch()("looking into the model"):
        from pellucid.catalogue.methods import method as named
        from pellucid.verbs.inspect import card as cards

        named(method)
        model = source.open()
        model.ready()
        if picture is not None and not hasattr(model.preprocess, "read"):
            check_reads_pictures(model)
        x = cards.entry(model, picture, shape)
        check_computes(model, x)
        card = cards.inspect(model, x, method=method)
    if as_json:
        return output.document(card.data())
    for name, fact in card.facts():
        click.echo(f"{name:<13}{fact}")
    for title, columns, rows in card.tables(depth):
        click.echo(f"\n{title}")
        if rows:
            output.table(columns, rows)
