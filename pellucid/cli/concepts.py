"""`pellucid concepts`: which channels of a layer a decision was made with, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from pellucid.errors import OutputError
from . import allocator, output
from .errors import INTERRUPTED, debuggable
from .explain import suffixes
from .files import Folder, names
from .model_options import BUILT_IN, Numbers, Source, check_reads_pictures, takes_source
from .progress import Watch

if TYPE_CHECKING:
    from pellucid.verbs.concepts import Concepts

OUTER = 2  # names with fewer dots are told one by one


@click.command(short_help="Which channels a decision was made with.")
@click.argument("picture", metavar="PICTURE")
@click.option("--at", metavar="LAYER", help="The layer.  [default: the last one with maps, which is said]")
@click.option("--channels", "which", type=Numbers(int), metavar="N,N", help="Which channels.  [default: those that say most]")
@click.option("--top", type=click.IntRange(1), default=6, show_default=True, metavar="N", help="How many that speak for it.")
@click.option("--against", type=click.IntRange(0), default=2, show_default=True, metavar="N", help="How many against it.")
@click.option("--target", metavar="CLASS", help="The class to explain, by name or index.  [default: the predicted one]")
@click.option(
    "--method", default="lrp", show_default=True, metavar="NAME", help="One of `pellucid methods` that takes conditions."
)
@click.option("--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="A built-in model, or a file.")
@click.option("--data", metavar="DIR", help="Pictures of yours: those each channel is used for most are shown.")
@click.option("--beside", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="How many of them.")
@click.option("--draw", is_flag=True, help="Draw what excites each channel most; takes minutes.")
@click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")
@click.option("--format", "formats", default="png,json", show_default=True, metavar="LIST", help="What is written; also txt.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, and nothing else.")
@takes_source
@debuggable
def concepts(
    picture: str,
    at: str | None,
    which: tuple[int, ...] | None,
    top: int,
    against: int,
    target: str | None,
    method: str,
    source: Source,
    data: str | None,
    beside: int,
    draw: bool,
    out: str,
    formats: str,
    as_json: bool,
) -> None:
    """Which channels of a layer the decision on PICTURE was made with, where each looked, and what each stands for.

    With --data the real pictures that a channel is used for most stand beside its map, with --draw what excites it most. The
    sheet is named after picture, method and layer: cat.lrp.concepts.at-stages.4.png.
    """
    watch = Watch()
    allocator.settle()
    with watch("starting"):
        from pellucid.core.formats import FORMATS
        from pellucid.verbs.concepts import concepts as ask

        words = filter(None, (method, target, "concepts", f"at {at}" if at else ""))
        folder, (name,) = Folder(Path(out), suffixes(formats, FORMATS["concepts"])), names([picture], *words)
        folder.check([name], [picture])
        model = source.open()
        check_reads_pictures(model)
    with watch(Path(picture).name):
        c = ask(
            model, picture, int(target) if target and target.isdigit() else target, method, at=at, which=which, top=top,
            against=against, data=data, beside=beside, draw=draw,
        )  # fmt: skip
        files = written(c, folder, name)
    report(c, files, listed=at is None, as_json=as_json)
    if watch.called_off:
        raise Exit(INTERRUPTED)


def written(c: Concepts, folder: Folder, name: str) -> list[Path]:
    """The result in every format, each file whole or not at all."""
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = error.strerror or str(error)
        raise OutputError(f"--out {folder.path}", found, "the folder cannot be made", "Name another one.") from None
    return [c.save(file) for file in folder.files(name)]


def report(c: Concepts, files: Sequence[Path], *, listed: bool, as_json: bool) -> None:
    """What was found, for a program or for a person."""
    if as_json:
        return output.document({"files": {file.suffix.lstrip("."): str(file) for file in files}} | c.document())
    output.classes(c.whole)
    click.echo(c.text())
    if listed:
        click.echo(f"Layers to choose from: {listed_layers(c.layers)}.")
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")


def listed_layers(layers: Sequence[str]) -> str:
    """The outer layers by name, and how many there are inside them.

    Example:
        >>> listed_layers(["stem", "layer1.0", "layer1.0.conv1", "head"])
        'stem, layer1.0, head, and 1 inside these'
    """
    outer = [name for name in layers if name.count(".") < OUTER] or list(layers)
    inside = len(layers) - len(outer)
    return ", ".join(outer) + (f", and {inside} inside these" if inside else "")
