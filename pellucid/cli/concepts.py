"""`pellucid concepts`: which channels of a layer a decision is based on, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import output
from .completion import METHODS
from .errors import debug_option, exit_if_incomplete
from .files import OPEN, OUT, Folder, file_names, format_option, open_first
from .model_options import MODEL, ModelOptions, numbers, with_model_options
from .progress import ProgressBar
from .target_options import TARGET

if TYPE_CHECKING:
    from pellucid.verbs.concepts import Concepts

OUTER = 2  # layers whose names have fewer dots are listed one by one


@click.command()
@click.argument("picture", metavar="PICTURE")
@click.option("--at", metavar="LAYER", help="Layer whose channels are shown.  [default: the last one with feature maps]")
@click.option("--channels", "which", type=numbers(int), metavar="N,N", help="Channels to show.  [default: the most relevant]")
@click.option("--top", type=click.IntRange(1), default=6, show_default=True, metavar="N", help="Channels in favour to show.")
@click.option("--against", type=click.IntRange(0), default=2, show_default=True, metavar="N", help="Channels against to show.")
@TARGET
@click.option(
    "--method",
    default="lrp",
    show_default=True,
    shell_complete=METHODS,
    metavar="NAME",
    help="A method that propagates relevance.",
)
@MODEL
@click.option("--data", metavar="DIR", help="Folder of pictures: those that rely on a channel most are shown beside it.")
@click.option(
    "--beside", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Pictures of --data per channel."
)
@click.option("--draw", is_flag=True, help="Draw what excites each channel most; takes minutes.")
@OUT
@format_option("png,json", "png, json, txt, jpg, pdf")
@OPEN
@output.JSON
@with_model_options
@debug_option
def concepts(
    picture: str, at: str | None, target: str | None, method: str, model_options: ModelOptions, out: str, formats: str,
    open_it: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Which channels of a layer the decision on PICTURE is based on, where each is relevant, and what each stands for.

    With --data, pictures that rely on a channel most are shown beside its map; with --draw, a picture that excites it most. The
    sheet is named after picture, method and layer: cat.lrp.concepts.at-stages.4.png.
    """
    progress = ProgressBar()
    with progress("starting"):
        from pellucid.verbs.concepts import concepts as verb

        words = filter(None, (method, target, "concepts", f"at {at}" if at else ""))
        folder, (name,) = Folder.of(out, formats, "concepts"), file_names([picture], *words)
        folder.check([name], [picture])
        model = model_options.load()
        model.check_reads_pictures()
    with progress(Path(picture).name):
        c = verb(model, picture, int(target) if target and target.isdigit() else target, method, at=at, **options)
    files = folder.write(c, name)
    print_result(c, files, with_layers=at is None, as_json=as_json)
    if open_it:
        open_first(files)
    exit_if_incomplete(called_off=progress.called_off)


def print_result(c: Concepts, files: Sequence[Path], *, with_layers: bool, as_json: bool) -> None:
    """The channels, for a program or for a person."""
    if as_json:
        return output.print_json(output.by_format(files) | c.document())
    output.print_classes(c.whole)
    output.print_text(c.text())
    if with_layers:
        output.echo(f"Layers to choose from with --at: {outer_layers(c.layers)}.")
    output.print_files(files)


def outer_layers(layers: Sequence[str]) -> str:
    """The outer layers by name, and how many there are inside them.

    Example:
        >>> outer_layers(["stem", "layer1.0", "layer1.0.conv1", "head"])
        'stem, layer1.0, head, and 1 inside these'
    """
    outer = [name for name in layers if name.count(".") < OUTER] or list(layers)
    inside = len(layers) - len(outer)
    return ", ".join(outer) + (f", and {inside} inside these" if inside else "")
