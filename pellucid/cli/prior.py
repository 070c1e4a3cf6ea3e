"""`pellucid prior fit`: a generator of pictures, fitted to a model and to pictures of yours."""

from __future__ import annotations

from pathlib import Path

import click
from click.exceptions import Exit

from pellucid.errors import OutputError
from . import allocator, output
from .errors import INTERRUPTED, debuggable
from .model_options import BUILT_IN, Source, check_reads_pictures, takes_source
from .progress import Watch


@click.group(short_help="A generator of pictures, for recipes dgn_am and ppgn.")
@debuggable
def prior() -> None:
    """A generator of pictures like yours, for `pellucid maximize --recipe dgn_am` and `ppgn`."""


@prior.command()
@click.argument("images", metavar="IMAGES")
@click.option("--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="A built-in model, or a file.")
@click.option("--at", metavar="LAYER", help="Whose values are the codes.  [default: what goes into the class layer]")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True, help="How long.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="When to stop at the latest.")
@click.option("--width", type=click.IntRange(1), default=32, show_default=True, metavar="N", help="Channels of its finest maps.")
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, metavar="N", help="Pictures in a step.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of first weights and the order of pictures.")
@click.option("--out", required=True, metavar="FILE", help="A .safetensors file, written now and then on the way.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, and nothing else.")
@takes_source
@debuggable
def fit(
    images: str,
    source: Source,
    at: str | None,
    minutes: float,
    steps: int | None,
    width: int,
    batch: int,
    seed: int,
    out: str,
    as_json: bool,
) -> None:
    """A decoder that makes pictures of the codes of MODEL, learned from the folder IMAGES; labels are not needed.

    The first Ctrl-C ends the training and keeps what there is.
    """
    watch = Watch()
    allocator.settle()
    with watch("starting"):
        import pellucid as pl

        place = Path(out)
        check(place)
        model = source.open()
        check_reads_pictures(model)
    with watch(f"learning from {images}"):
        fitted = pl.synth.GeneratorPrior.fit(
            model, images, at, minutes=minutes, steps=steps, width=width, batch=batch, seed=seed, out=place
        )  # fmt: skip
    if as_json:
        output.document({"file": str(place), "codes": list(fitted.codes.shape), "place": str(fitted.place)} | fitted.provenance)
    else:
        made = fitted.provenance
        click.echo(f"{made['steps']} steps in {made['seconds']:.0f} seconds, {made['pictures']} pictures.")
        click.echo(" ".join((fitted.caption, *fitted.notes)))
        click.echo(f"Written: {click.format_filename(out)}")
    if watch.called_off:
        raise Exit(INTERRUPTED)


def check(out: Path) -> None:
    """Refuse now what could not be written later."""
    if out.suffix.lower() != ".safetensors":
        raise OutputError(f"--out {out}", f'suffix "{out.suffix}"', "priors are safetensors files", "Name it x.safetensors.")
    if not out.absolute().parent.is_dir():
        raise OutputError(f"--out {out}", f"no folder {out.parent}", "the file goes there", "Make it first, or name another.")
