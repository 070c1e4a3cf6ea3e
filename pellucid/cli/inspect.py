"""`pellucid inspect`: what a model is, what runs in it, which rule relevance takes where, and which methods can explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import output
from .completion import METHODS
from .errors import debug_option
from .model_options import ModelOptions, check_computes, numbers, with_model_options
from .progress import ProgressBar

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.model import Model


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("picture", required=False, metavar="[PICTURE]")
@click.option(
    "--method", default="lrp", show_default=True, shell_complete=METHODS, metavar="NAME", help="Method whose rules are listed."
)
@click.option("--shape", type=numbers(int), metavar="N,C,H,W", help="Shape of the input, where the model does not say.")
@click.option("--depth", type=int, default=2, show_default=True, metavar="N", help="Depth of nested layers to list.")
@click.option("--verify", is_flag=True, help="Measure whether the network does what explanations take it to do.")
@output.JSON
@with_model_options
@debug_option
def inspect(
    picture: str | None,
    method: str,
    shape: tuple[int, ...] | None,
    depth: int,
    verify: bool,
    as_json: bool,
    model_options: ModelOptions,
) -> None:
    """The input, classes and layers of a MODEL, the rule that relevance takes at each operation, and the methods that work on it.

    MODEL is one of `pellucid models`, a file, a folder, or a name such as timm:resnet50. The layers listed are those that run on
    PICTURE, or on an input of zeros. With --verify it is compared with what explanations rely on, on PICTURE or on noise: slopes
    with finite differences, samples alone with samples in a batch, and so on; the exit status is 1 where something fails.
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
        if verify:
            return _print_verification(model, None if picture is None else x, shape, as_json=as_json)
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


def _print_verification(model: Model, x: Tensor | None, shape: tuple[int, ...] | None, *, as_json: bool) -> None:
    """What was checked; ends the command with status 1 where something fails."""
    from pellucid.verbs.verify import verify as measure

    verification = measure(model, x, shape=shape)
    if as_json:
        output.print_json({"model": verification.model, "holds": verification.holds, "claims": verification.rows})
    else:
        click.echo(f"{model.name}: what explanations rely on")
        output.print_table(("claim", "verdict", "measured", "bound"), verification.cells())
        for line in verification.advice():
            click.echo(line)
    if not verification.holds:
        raise click.exceptions.Exit(1)
