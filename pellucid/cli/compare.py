"""`pellucid compare`: several methods on one picture, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from pellucid.errors import MethodError
from . import allocator, output
from .arguments import in_options
from .errors import INTERRUPTED, SOME_FAILED, debuggable, tell
from .explain import asked_about, suffixes
from .files import Folder, names
from .inputs import Given, given
from .model_options import BUILT_IN, Source, takes_source
from .progress import Watch
from .target_options import BY, TOP, Question, takes_question

if TYPE_CHECKING:
    from pellucid.explanation.comparison import Comparison

METHODS = "lrp,sensitivity,integrated_gradients,gradcam,occlusion"


@click.command(short_help="Several methods on one picture, side by side.")
@click.argument("paths", nargs=-1, metavar="PICTURE")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text, for a model that reads texts.")
@click.option("--methods", default=METHODS, show_default=True, metavar="LIST", help="Some of `pellucid methods`.")
@click.option("--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="A built-in model, or a file.")
@takes_question
@TOP
@BY
@click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")
@click.option("--format", "formats", default="png", show_default=True, metavar="LIST", help="What is written; also html, json.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, and nothing else.")
@takes_source
@debuggable
def compare(
    paths: Sequence[str],
    texts: Sequence[str],
    methods: str,
    source: Source,
    top: float,
    by: str,
    out: str,
    formats: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """What several methods say of one PICTURE: one sheet with their maps side by side, each on its own scale, which is stated,
    and below each the regions it points to.

    The sheet is named after the picture and what was asked: cat.compare.png.
    """
    things = given(paths, texts)
    if len(things) > 1:
        raise click.UsageError("One picture or text is compared at a time")
    thing = things[0]
    question, watch, wanted = Question(**asked), Watch(), listed(methods)
    allocator.settle()
    with watch("starting"):
        from pellucid.core.formats import FORMATS
        from pellucid.verbs import compare as verb

        folder = Folder(Path(out), suffixes(formats, FORMATS["comparison"]))
        (name,) = names([thing.path], "compare", *question.words)
        folder.check([name], paths)
        model = source.open()
        question.check(model, wanted, things)
    with watch(Path(thing.path).name):
        c = named(question.ask(verb.compare, model, thing, methods=wanted), thing)
        files = folder.write(c, name, top=top, by=by)
    report(thing, c, files, as_json=as_json)
    if watch.called_off:
        raise Exit(INTERRUPTED)
    if c.failures:
        raise Exit(SOME_FAILED)


def listed(methods: str) -> list[str]:
    """The methods by name, each once."""
    wanted = list(dict.fromkeys(name.strip() for name in methods.split(",") if name.strip()))
    if not wanted:
        raise MethodError(
            f"--methods {methods!r}", "no method", "there is nothing to compare", f"Name some: --methods {METHODS}."
        )
    return wanted


def named(c: Comparison, thing: Given) -> Comparison:
    """With the name of the picture where each explanation says how to repeat it."""
    told = asked_about(thing)
    return replace(c, explanations={name: replace(e, provenance=e.provenance | told) for name, e in c.explanations.items()})


def report(thing: Given, c: Comparison, files: Sequence[Path], *, as_json: bool) -> None:
    """The answers, for a program or for a person; what failed, on stderr."""
    for name, error in c.failures.items():
        tell(f"{name}: {in_options(error)}", mark="No answer from")
    if as_json:
        from pellucid.explanation.comparison import to_dict

        written = {file.suffix.lstrip("."): str(file) for file in files}
        return output.document(asked_about(thing) | {"files": written} | to_dict(c))
    output.classes(c.any)
    for name, e in c.explanations.items():
        click.echo(f"{c.seconds[name]:7.2f} s  {e.caption()}")
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")
