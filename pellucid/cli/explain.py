"""`pellucid explain`: which pixels or words speak for a class, which against, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from pellucid.errors import InputError, OutputError, PellucidError, PictureError
from . import allocator, output
from .arguments import in_options
from .errors import INTERRUPTED, REFUSED, SOME_FAILED, complain, debuggable, tell
from .files import Folder, names
from .inputs import Given, given
from .model_options import BUILT_IN, Source, takes_source
from .progress import Watch
from .target_options import BY, TOP, Question, takes_question

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation

FORMATS = "png,json,safetensors"


@click.command(short_help="Which pixels or words speak for a class, which against.")
@click.argument("paths", nargs=-1, metavar="PICTURE...")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text to explain, for a model that reads texts.")
@click.option(
    "--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="One of `pellucid models`, a file, or `timm:NAME` ..."
)
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="One of `pellucid methods`.")
@takes_question
@click.option("--view", default="map", show_default=True, metavar="LIST", help="What pictures show; also outlines, regions.")
@TOP
@BY
@click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")
@click.option(
    "--format", "formats", default=FORMATS, show_default=True, metavar="LIST", help="What is written; also html, svg, txt."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per picture, and nothing else.")
@takes_source
@debuggable
def explain(
    paths: Sequence[str],
    texts: Sequence[str],
    source: Source,
    method: str,
    view: str,
    top: float,
    by: str,
    out: str,
    formats: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Which pixels of a PICTURE speak for a class, which against, and by how much; or which words of a text.

    Every result is named after its picture and what was asked: cat.lrp.png, cat.lrp.tiger-cat.png. With a model that reads
    texts, files are texts: `pellucid explain review.txt --model hf:./folder`, or typed in with --text.
    """
    things = given(paths, texts)
    question, watch, pictures = Question(**asked), Watch(len(things)), [one.path for one in things]
    allocator.settle()
    with watch("starting"):
        from pellucid.core.formats import FORMATS as KNOWN
        from pellucid.render import Shown
        from pellucid.verbs import explain as verb

        folder, called = Folder(Path(out), suffixes(formats, KNOWN["explanation"])), names(pictures, method, *question.words)
        folder.check(called, paths)
        Shown(view).views()
        model = source.open()
        question.check(model, [method], things)
    failed: list[str] = []
    for index, (thing, name) in enumerate(zip(things, called, strict=True)):
        picture = thing.path
        if watch.called_off:
            tell(f"{len(pictures) - index} of {len(pictures)} pictures were not begun.", mark="Called off:")
            break
        try:
            with watch(Path(picture).name, steps=1):
                e = named(question.ask(verb.explain, model, thing, method=method), thing)
                files = folder.write(e, name, view=view, top=top, by=by)
        except Exception as error:
            if not isinstance(error, PictureError | InputError) and len(failed) == index:
                raise  # it never went well: what was asked is wrong, not this picture
            mourn(thing, error, as_json=as_json)
            failed.append(picture)
        else:
            if index == len(failed) and not as_json:  # the first that went well
                output.model(model)
            report(thing, e, files, as_json=as_json, headed=len(pictures) > 1)
    if watch.called_off:
        raise Exit(INTERRUPTED)
    finish(pictures, failed)


def named(e: Explanation, thing: Given) -> Explanation:
    """With the name of the picture, or the text, where it says how to repeat it."""
    return replace(e, provenance=e.provenance | asked_about(thing))


def asked_about(thing: Given) -> dict[str, str]:
    """What it was, for programs and for provenance."""
    return {"picture": click.format_filename(thing.path)} if thing.text is None else {"text": thing.text}


def finish(pictures: Sequence[str], failed: Sequence[str]) -> None:
    """Leave with the exit code that says whether all went well."""
    if failed and len(pictures) == 1:
        raise Exit(REFUSED)
    if failed:
        named = ", ".join(map(click.format_filename, failed))
        tell(f"{len(failed)} of {len(pictures)} pictures could not be explained: {named}.", mark="pellucid:")
        raise Exit(SOME_FAILED)


def mourn(thing: Given, error: Exception, *, as_json: bool) -> None:
    """One picture that failed while others go on."""
    complain(click.get_current_context(), error)
    if as_json:
        output.document(asked_about(thing) | {"error": told(error)})


def suffixes(formats: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """The formats by the suffixes of their files; `known` is what can be written."""
    asked = tuple(dict.fromkeys(f".{name.strip().lower().lstrip('.')}" for name in formats.split(",") if name.strip()))
    for suffix in asked:
        if suffix not in known:
            do = f"Choose among {', '.join(name.lstrip('.') for name in known)}."
            raise OutputError(f"--format {formats}", suffix.lstrip("."), "nobody here writes that", do)
    return asked


def report(thing: Given, e: Explanation, files: Sequence[Path], *, as_json: bool, headed: bool) -> None:
    """One picture's result, for a program or for a person."""
    if as_json:
        from pellucid.explanation.serialization import summary

        written = {file.suffix.lstrip("."): str(file) for file in files}
        return output.document(asked_about(thing) | {"files": written} | summary(e))
    if headed:
        click.echo(click.style(thing.label, bold=True))
    output.explanation(e)
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")
    if headed:
        click.echo()


def told(error: Exception) -> dict[str, str]:
    """An error as plain data."""
    error = in_options(error) if isinstance(error, PellucidError) else error
    parts = {part: str(getattr(error, part)) for part in ("asked", "found", "why", "do") if hasattr(error, part)}
    return {"kind": type(error).__name__, "message": str(error)} | parts
