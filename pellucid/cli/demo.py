"""`pellucid demo`: photographs that come with the package, and a network that cheats, explained in one report."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core import allocator
from . import output
from .errors import debug_option
from .files import OPEN, Folder, open_first
from .model_options import BUILT_IN
from .progress import ProgressBar

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from pellucid.model import Model
    from pellucid.synth.maximized import Maximized

SUFFIXES = (".png", ".json", ".safetensors")
METHODS = ("gradcam", "gradient_x_input")  # beside lrp
RECIPE, STEPS = "lucid", 32  # of the portrait: a rough one, in seconds
TITLE = "What pellucid shows"
SENTENCE = (
    "A photograph of a cat under three methods and for two questions, an espresso, what the network looks for in an espresso, "
    "and a network that cheats."
)
NEXT = """
Try next:
  pellucid explain {cat} --target "{other}"
  pellucid explain YOUR.jpg
  pellucid inspect {model}
  pellucid methods"""


@click.command()
@click.option("--out", default="pellucid-demo", show_default=True, metavar="DIR", help="Folder for the results.")
@OPEN
@debug_option
def demo(out: str, open_it: bool) -> None:
    """Explain photographs with the built-in model, and a network that cheats; no picture, model or network connection is needed.

    Everything stands in one page: pellucid-demo/index.html.
    """
    folder, progress = Folder(Path(out), SUFFIXES), ProgressBar()
    folder.check()
    allocator.configure()
    with progress("starting"):
        from pellucid import zoo
        from pellucid.model import load

        model = load(BUILT_IN)
        folder.path.mkdir(parents=True, exist_ok=True)
        photographs = {key: Path(shutil.copy(path, folder.path / f"{key}.jpg")) for key, path in zoo.pictures().items()}
    started = time.perf_counter()
    results, other = shown(model, photographs, folder, progress)
    with progress("writing the report"):
        from pellucid.render.report import report

        page = report(results, title=TITLE, sentence=SENTENCE).save(folder.path / "index.html")
    seconds = time.perf_counter() - started
    output.echo(
        f"Written to {folder.path} in {seconds:.1f} s: the report, PNG, JSON and safetensors files, and both photographs."
    )
    output.echo(f"report: {page}")
    output.echo(NEXT.format(cat=photographs["chelsea"], other=other, model=BUILT_IN))
    if open_it:
        open_first([page])


def shown(model: Model, photographs: dict[str, Path], folder: Folder, progress: ProgressBar) -> tuple[list[Any], str]:
    """All results, which are printed and written as they come; and the class that the cat is second best."""
    from pellucid.render.demonstration import exposed
    from pellucid.verbs.explain import explain
    from pellucid.verbs.maximize import maximize

    def one(name: str, title: str, picture: Path, target: str | None = None, versus: str | None = None) -> Explanation:
        with progress(title):
            e = explain(model, picture, target, versus=versus)
            folder.write(e, name, view="map,regions")
        output.echo(title, bold=True)
        output.print_explanation(e)
        output.echo()
        return e

    cat = one("cat", "A cat", photographs["chelsea"])
    (_, name, _), (_, other, _), *_ = cat.classes
    versus = one("cat-contrast", f"Why {name} rather than {other}", photographs["chelsea"], name, other)
    espresso = one("espresso", "An espresso", photographs["coffee"])
    with progress("the cat under other methods"):
        more = [explain(model, photographs["chelsea"], method=method) for method in METHODS]
    with progress("what the network looks for in an espresso"):
        portrait = maximize(model, "espresso", recipe=RECIPE, seed=0, steps=STEPS)
    with progress("a network that cheats"):
        cheat = exposed()
    output.echo("A network that cheats", bold=True)
    output.echo(f"{cheat.test.sentence()}\n")
    return [*titled([cat, *more, versus], espresso, portrait), cheat.document()], other


def titled(cat: list[Explanation], espresso: Explanation, portrait: Maximized) -> list[dict[str, Any]]:
    """The pages about photographs and the portrait, each under a title that says what is to be seen."""
    from pellucid.render.document import document

    def best(e: Explanation) -> str:
        return f"{e.classes[0][1]}, {100 * e.classes[0][2]:.0f}\u00a0%"

    return [
        document(cat) | {"title": f"A cat: {best(cat[0])}"},
        document(espresso) | {"title": f"An espresso: {best(espresso)}"},
        document(portrait) | {"title": "What the network looks for in an espresso"},
    ]
