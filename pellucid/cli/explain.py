"""`pellucid explain`: which pixels speak for a class, which against, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from ..errors import OutputError, PictureError
from . import process, say
from .door import INTERRUPTED, REFUSED, SOME_FAILED, complain, debuggable, tell
from .files import Folder, names
from .question import BY, TOP, Question, takes_question
from .source import BUILT_IN, Source, takes_source
from .watch import Watch

if TYPE_CHECKING:
    from ..explanation import Explanation

FORMATS = "png,json,safetensors"


@click.command(short_help="Which pixels speak for a class, which against.")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option(
    "--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="One of `pellucid models`, a file, or `timm:NAME` ..."
)
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="One of `pellucid methods`.")
@takes_question
@click.option("--view", default="map", show_default=True, metavar="LIST", help="What pictures show; also outlines, regions.")
@TOP
@BY
@click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")
@click.option("--format", "formats", default=FORMATS, show_default=True, metavar="LIST", help="What is written; also html, txt.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per picture, and nothing else.")
@takes_source
@debuggable
def explain(
    pictures: Sequence[str],
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
    """Which pixels of a PICTURE speak for a class, which against, and by how much.

    Every result is named after its picture and what was asked: cat.lrp.png, cat.lrp.tiger-cat.png.
    """
    question, watch = Question(**asked), Watch(len(pictures))
    process.settle()
    with watch("starting"):
        from .. import verbs
        from ..explanation import FORMATS
        from ..render import Shown

        folder, called = Folder(Path(out), suffixes(formats, FORMATS)), names(pictures, method, *question.words)
        folder.check(called, pictures)
        Shown(view).views()
        model = source.open()
        question.check(model, [method])
    failed: list[str] = []
    for index, (picture, name) in enumerate(zip(pictures, called, strict=True)):
        if watch.called_off:
            tell(f"{len(pictures) - index} of {len(pictures)} pictures were not begun.", mark="Called off:")
            break
        try:
            with watch(Path(picture).name, steps=1):
                e = named(question.ask(verbs.explain, model, picture, method=method), picture)
                files = folder.write(e, name, view=view, top=top, by=by)
        except Exception as error:
            if not isinstance(error, PictureError) and len(failed) == index:
                raise  # it never went well: what was asked is wrong, not this picture
            mourn(picture, error, as_json=as_json)
            failed.append(picture)
        else:
            if index == len(failed) and not as_json:  # the first that went well
                say.model(model)
            report(picture, e, files, as_json=as_json, headed=len(pictures) > 1)
    if watch.called_off:
        raise Exit(INTERRUPTED)
    finish(pictures, failed)


def named(e: Explanation, picture: str) -> Explanation:
    """With the name of the picture where it says how to repeat it."""
    return replace(e, provenance=e.provenance | {"picture": click.format_filename(picture)})


def finish(pictures: Sequence[str], failed: Sequence[str]) -> None:
    """Leave with the exit code that says whether all went well."""
    if failed and len(pictures) == 1:
        raise Exit(REFUSED)
    if failed:
        named = ", ".join(map(click.format_filename, failed))
        tell(f"{len(failed)} of {len(pictures)} pictures could not be explained: {named}.", mark="pellucid:")
        raise Exit(SOME_FAILED)


def mourn(picture: str, error: Exception, *, as_json: bool) -> None:
    """One picture that failed while others go on."""
    complain(click.get_current_context(), error)
    if as_json:
        say.document({"picture": click.format_filename(picture), "error": told(error)})


def suffixes(formats: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """The formats by the suffixes of their files; `known` is what can be written."""
    asked = tuple(dict.fromkeys(f".{name.strip().lower().lstrip('.')}" for name in formats.split(",") if name.strip()))
    for suffix in asked:
        if suffix not in known:
            do = f"Choose among {', '.join(name.lstrip('.') for name in known)}."
            raise OutputError(f"--format {formats}", suffix.lstrip("."), "nobody here writes that", do)
    return asked


def report(picture: str, e: Explanation, files: Sequence[Path], *, as_json: bool, headed: bool) -> None:
    """One picture's result, for a program or for a person."""
    if as_json:
        from ..explanation import summary

        written = {file.suffix.lstrip("."): str(file) for file in files}
        return say.document({"picture": click.format_filename(picture), "files": written} | summary(e))
    if headed:
        click.echo(click.style(click.format_filename(picture), bold=True))
    say.explanation(e)
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")
    if headed:
        click.echo()


def told(error: Exception) -> dict[str, str]:
    """An error as plain data."""
    parts = {part: str(getattr(error, part)) for part in ("asked", "found", "why", "do") if hasattr(error, part)}
    return {"kind": type(error).__name__, "message": str(error)} | parts
