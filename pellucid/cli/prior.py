"""`pellucid prior fit`: trains a generator of pictures on a model and a folder of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.errors import OutputError
from . import output
from .errors import debug_option, exit_if_incomplete
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import ProgressBar


@click.group()
@debug_option
def prior() -> None:
    """A generator of pictures, for `pellucid maximize --recipe dgn_am` and `--recipe ppgn`."""


@prior.command(short_help="Train one on a folder of pictures.")
@click.argument("images", metavar="IMAGES")
@MODEL
@click.option("--at", metavar="LAYER", help="Layer whose values are decoded.  [default: the input of the class layer]")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True, metavar="M", help="Time limit."
)
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Limit on training steps.")
@click.option(
    "--width", type=click.IntRange(1), default=32, show_default=True, metavar="N", help="Channels of its finest feature maps."
)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, metavar="N", help="Pictures per step.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of initial weights and picture order.")
@click.option("--out", required=True, metavar="FILE", help="A .safetensors file, also written from time to time on the way.")
@output.JSON
@with_model_options
@debug_option
def fit(images: str, model_options: ModelOptions, out: str, as_json: bool, **options: Any) -> None:
    """Train a decoder that turns values of a layer of the model back into pictures, on those in the folder IMAGES; labels are not
    needed.

    The first Ctrl-C ends the training and keeps what has been learned.
    """
    progress = ProgressBar()
    with progress("starting"):
        from pellucid.synth.generator.prior import GeneratorPrior

        place = Path(out)
        check(place)
        model = model_options.load()
        model.check_reads_pictures()
    with progress(f"learning from {images}"):
        fitted = GeneratorPrior.fit(model, images, out=place, **options)
    training = fitted.provenance
    if as_json:
        output.print_json({"file": str(place), "codes": list(fitted.codes.shape), "place": str(fitted.place)} | training)
    else:
        output.echo(f"{training['steps']} steps in {training['seconds']:.0f} seconds, {training['pictures']} pictures.")
        output.echo(" ".join((fitted.caption, *fitted.notes)))
        output.print_files([place])
    exit_if_incomplete(called_off=progress.called_off)


def check(out: Path) -> None:
    """Refuse now what could not be written later."""
    if out.suffix.lower() != ".safetensors":
        raise OutputError(f"--out {out}", f'suffix "{out.suffix}"', "priors are safetensors files", "Name it x.safetensors.")
    if not out.absolute().parent.is_dir():
        raise OutputError(f"--out {out}", f"no folder {out.parent}", "the file goes there", "Make it first, or name another.")
