"""`pellucid demo`: two photographs that come with the package, explained."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.core import allocator
from . import output
from .errors import debug_option
from .files import Folder
from .model_options import BUILT_IN
from .progress import ProgressBar

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


@click.command()
@click.option("--out", default="pellucid-demo", show_default=True, metavar="DIR", help="Folder for the results.")
@debug_option
def demo(out: str) -> None:
    """Explain photographs of a cat and an espresso with the built-in model; no picture, model or network connection is needed."""
    folder, progress = Folder(Path(out), SUFFIXES), ProgressBar()
    folder.check()
    allocator.configure()
    with progress("starting"):
        from pellucid import zoo
        from pellucid.model import load
        from pellucid.target import logit
        from pellucid.verbs.explain import explain

        model, photographs = load(BUILT_IN), zoo.pictures()
    started = time.perf_counter()

    def show(name: str, title: str, picture: Path, target: Target | None = None) -> Explanation:
        with progress(title):
            e = explain(model, picture, target)
            folder.write(e, name, view="map,regions")
        output.echo(title, bold=True)
        output.print_explanation(e)
        output.echo()
        return e

    cat = show("cat", "A cat", photographs["chelsea"])
    (best, name, _), (second, other, _), *_ = cat.classes
    show("cat-contrast", f"Why {name} rather than {other}", photographs["chelsea"], logit(best) - logit(second))
    show("espresso", "An espresso", photographs["coffee"])
    seconds = time.perf_counter() - started
    copies = [Path(shutil.copy(photographs[key], folder.path / f"{key}.jpg")) for key in ("chelsea", "coffee")]
    output.echo(f"Written to {folder.path} in {seconds:.1f} s: PNG, JSON and safetensors files, and both photographs.")
    output.echo(NEXT.format(cat=copies[0], other=other, model=BUILT_IN))
