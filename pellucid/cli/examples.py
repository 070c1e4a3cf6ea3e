"""`pellucid examples`: which pictures of a folder a class or channel answers to most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.errors import InputError
from . import output
from .completion import METHODS
from .errors import debug_option, exit_if_incomplete
from .files import OPEN, OUT, Folder, format_option, open_first, slug
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import ProgressBar
from .settings import WITH, configured

if TYPE_CHECKING:
    from pellucid.synth.examples.example import Examples


@click.command()
@click.argument("units", nargs=-1, required=True, metavar="UNIT...")
@click.option("--data", required=True, metavar="DIR", help="Folder of pictures to search.")
@click.option("--top", type=click.IntRange(1), default=9, show_default=True, metavar="N", help="Pictures per unit.")
@click.option(
    "--by", type=click.Choice(["activation", "relevance"]), default="activation", show_default=True,
    help="What pictures are ranked by: what the unit says, or what it contributes to their class.",
)  # fmt: skip
@click.option(
    "--pool", type=click.Choice(["max", "mean"]), default="max", show_default=True,
    help="What of a unit's map counts: its peak, or its mean.",
)  # fmt: skip
@click.option("--crop/--no-crop", default=True, help="Show what the unit can see, or whole pictures.  [default: crop]")
@click.option(
    "--method",
    default="lrp",
    show_default=True,
    shell_complete=METHODS,
    metavar="NAME",
    help="What explains the unit on each picture.",
)
@WITH
@MODEL
@OUT
@format_option("png,json", "png, json, jpg, pdf")
@OPEN
@output.JSON
@with_model_options
@debug_option
def examples(
    units: Sequence[str], data: str, method: str, settings: Sequence[str], model_options: ModelOptions, out: str, formats: str,
    open_it: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """The pictures of a folder that excite a UNIT most: a channel as LAYER:UNIT, a class, or a whole LAYER.

    They stand on one sheet, a row for each unit, cropped to what the unit can see: stages-4-17.examples.png.
    """
    progress = ProgressBar()
    with progress("starting"):
        from pellucid.verbs import examples as verb

        folder, name = Folder.of(out, formats, "examples"), f"{slug(' '.join(units))}.examples"
        folder.check([name])
        if not Path(data).is_dir():
            do = "Name a folder of pictures."
            raise InputError(f"--data {click.format_filename(data)}", "no such folder", "there is nothing to search", do)
        chosen = configured([method], settings)[method]
        model = model_options.load()
        model.check_reads_pictures()
    with progress(f"searching {data}"):
        each = [int(unit) if unit.isdigit() else unit for unit in units]
        found = verb.examples(model, each, data, method=chosen, **options)
        files = folder.write(found, name)
    print_result(found, files, as_json=as_json)
    if open_it:
        open_first(files)
    exit_if_incomplete(called_off=progress.called_off)


def print_result(found: Examples, files: Sequence[Path], *, as_json: bool) -> None:
    """The pictures of each unit, for a program or for a person."""
    from pellucid.core.numbers import figure

    if as_json:
        return output.print_json(output.by_format(files) | found.document())
    for unit, row, silent in zip(found.units, found.rows, found.silent, strict=True):
        output.echo(f"{unit}{', which says the same of all of them' if silent else ''}", bold=True)
        output.print_table(("", ""), [(f"  {one.name}", figure(one.value)) for one in row])
    output.print_text(*found.notes)
    output.print_files(files)
