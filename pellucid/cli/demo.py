"""`pellucid demo`: two photographs that come along, explained."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import allocator, output
from .errors import debuggable
from .files import Folder
from .model_options import BUILT_IN
from .progress import Watch

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from pellucid.target import Target

SUFFIXES = (".png", ".json", ".safetensors")
NEXT = """
Try next:
  pellucid explain {cat} --target "{other}"
  pellucid explain YOUR.jpg
  pellucid inspect {model}
  pellucid methods"""


@click.command(short_help="A cat and an espresso that come along, explained.")
@click.option("--out", default="pellucid-demo", show_default=True, metavar="DIR", help="Folder for the results.")
@debuggable
def demo(out: str) -> None:
    """Explain a cat and an espresso that come along: no picture, no network and no model of yours needed."""
    folder, watch = Folder(Path(out), SUFFIXES), Watch()
    folder.check()
    allocator.settle()
    with watch("starting"):
        from pellucid import zoo
        from pellucid.model import load
        from pellucid.target import logit
        from pellucid.verbs.explain import explain

        model, photographs = load(BUILT_IN), zoo.pictures()
    started = time.perf_counter()

    def show(name: str, title: str, picture: Path, target: Target | None = None) -> Explanation:
        with watch(title):
            e = explain(model, picture, target)
            folder.write(e, name, view="map,regions")
        click.echo(click.style(title, bold=True))
        output.explanation(e)
        click.echo()
        return e

    cat = show("cat", "A cat", photographs["chelsea"])
    (best, name, _), (second, other, _), *_ = cat.classes
    show("cat-contrast", f"Why {name} rather than {other}", photographs["chelsea"], logit(best) - logit(second))
    show("espresso", "An espresso", photographs["coffee"])
    seconds = time.perf_counter() - started
    kept = [Path(shutil.copy(photographs[key], folder.path / f"{key}.jpg")) for key in ("chelsea", "coffee")]
    click.echo(f"Written to {folder.path} in {seconds:.1f} s: PNG, JSON and safetensors files, and both photographs.")
    click.echo(NEXT.format(cat=kept[0], other=other, model=BUILT_IN))
