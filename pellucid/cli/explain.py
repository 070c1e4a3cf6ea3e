"""`pellucid explain`: which pixels speak for a class, which against, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from ..errors import OutputError, PellucidError, PictureError, TargetError
from . import process, say
from .door import REFUSED, SOME_FAILED, complain, debuggable, tell
from .files import Folder, names
from .source import BUILT_IN, Source, check_computes, check_reads_pictures, takes_source

if TYPE_CHECKING:
    from ..explanation import Explanation
    from ..model import Model


FORMATS = "png,json,safetensors"


@dataclass(frozen=True)
class Request:
    """What is asked of every picture, in the words of the command line."""

    method: str
    target: str | None
    versus: str | None
    at: str | None
    strict: bool

    @property
    def words(self) -> tuple[str, ...]:
        """What tells its files from those of other requests."""
        versus = f"vs {self.versus}" if self.versus else ""
        return self.method, " ".join(filter(None, (self.target, versus))), f"at {self.at}" if self.at else ""

    def check(self, model: Model) -> None:
        """Refuse before the first picture what would fail on every one."""
        from ..catalogue import method

        method(self.method)
        check_reads_pictures(model)
        named = [model.find(name) for name in (self.target, self.versus) if name]
        if len(named) > len(set(named)):
            found = f"the same class twice ({named[0]})"
            raise TargetError(
                f"--target {self.target} --versus {self.versus}", found, "their difference is zero", "Name another one."
            )

    def explain(self, model: Model, picture: str) -> Explanation:
        from ..target import logit
        from ..verbs import explain

        target = self.target if self.versus is None else logit(self.target) - logit(self.versus)
        try:
            e = explain(model, picture, target, self.method, at=self.at, strict=self.strict)
        except PellucidError:
            raise
        except Exception:
            check_computes(model, model.read(picture))  # if the model fails without us, say so
            raise
        return replace(e, provenance=e.provenance | {"picture": click.format_filename(picture)})


@click.command(short_help="Which pixels speak for a class, which against.")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option("--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="A built-in model, or a file.")
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="One of `pellucid methods`.")
@click.option("--target", metavar="CLASS", help="The class to explain, by name or index.  [default: the predicted one]")
@click.option("--versus", metavar="CLASS", help="Explain why the target rather than this class.")
@click.option("--at", metavar="LAYER", help="Explain by what this layer returned, in place of the pixels.")
@click.option("--out", default=".", metavar="DIR", help="Folder for the results.  [default: the current one]")
@click.option("--format", "formats", default=FORMATS, show_default=True, metavar="LIST", help="What is written; also html, txt.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per picture, and nothing else.")
@click.option("--strict", is_flag=True, help="Refuse operations without a rule, in place of taking their derivative.")
@takes_source
@debuggable
def explain(pictures: Sequence[str], source: Source, out: str, formats: str, as_json: bool, **asked: Any) -> None:
    """Which pixels of a PICTURE speak for a class, which against, and by how much.

    Every result is named after its picture and what was asked: cat.lrp.png, cat.lrp.tiger-cat.png.
    """
    request, watch = Request(**asked), say.Watch(len(pictures))
    process.settle()
    with watch("starting"):
        folder, called = Folder(Path(out), suffixes(formats)), names(pictures, *request.words)
        folder.check(called, pictures)
        model = source.open()
        request.check(model)
    failed: list[str] = []
    for index, (picture, name) in enumerate(zip(pictures, called, strict=True)):
        try:
            with watch(Path(picture).name, steps=1):
                e = request.explain(model, picture)
                files = folder.write(e, name)
        except Exception as error:
            if not isinstance(error, PictureError) and len(failed) == index:
                raise  # it never went well: what was asked is wrong, not this picture
            mourn(picture, error, as_json=as_json)
            failed.append(picture)
        else:
            report(picture, e, files, as_json=as_json, headed=len(pictures) > 1)
    finish(pictures, failed)


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


def suffixes(formats: str) -> tuple[str, ...]:
    """The formats by the suffixes of their files."""
    from ..explanation import FORMATS

    asked = tuple(dict.fromkeys(f".{name.strip().lower().lstrip('.')}" for name in formats.split(",") if name.strip()))
    for suffix in asked:
        if suffix not in FORMATS:
            known = ", ".join(name.lstrip(".") for name in FORMATS)
            raise OutputError(f"--format {formats}", suffix.lstrip("."), "nobody here writes that", f"Choose among {known}.")
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
