"""`pellucid inspect`: what a model is, what runs in it, which rule relevance takes where, and which methods can explain it."""

from __future__ import annotations

import click

from . import output
from .errors import debug_option
from .model_options import ModelOptions, check_computes, numbers, with_model_options
from .progress import ProgressBar


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("picture", required=False, metavar="[PICTURE]")
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="Method whose rules are listed.")
@click.option("--shape", type=numbers(int), metavar="N,C,H,W", help="Shape of the input, where the model does not say.")
@click.option("--depth", type=int, default=2, show_default=True, metavar="N", help="Depth of nested layers to list.")
@output.JSON
@with_model_options
@debug_option
def inspect(
    picture: str | None, method: str, shape: tuple[int, ...] | None, depth: int, as_json: bool, model_options: ModelOptions
) -> None:
    """The input, classes and layers of a MODEL, the rule that relevance takes at each operation, and the methods that work on it.

    MODEL is one of `pellucid models`, a file, a folder, or a name such as timm:resnet50. The layers listed are those that run on
    PICTURE, or on an input of zeros.
    """
    with ProgressBar()("inspecting the model"):
        from pellucid.catalogue.methods import method as find_method
        from pellucid.verbs.inspect import card as cards

        find_method(method)
        model = model_options.load()
        model.ready()
        if picture is not None and not hasattr(model.preprocess, "read"):
            model.check_reads_pictures()
        x = cards.example_input(model, picture, shape)
        check_computes(model, x)
        card = cards.inspect(model, x, method=method)
    if as_json:
        return output.print_json(card.data())
    for name, fact in card.facts():
        output.echo(f"{name:<13}{fact}")
    for title, columns, rows in card.tables(depth):
        output.echo(f"\n{title}")
        if rows:
            output.print_table(columns, rows)
