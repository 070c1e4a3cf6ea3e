"""`pellucid report`: saved results as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pellucid.errors import OutputError
from . import output
from .errors import debug_option
from .files import OPEN, open_first
from .progress import ProgressBar


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o", "--out", default="report.html", show_default=True, metavar="FILE", help="The report: .html, or .json for its data."
)
@click.option("--title", metavar="TEXT", help="What stands at its top.")
@click.option("--script/--no-script", default=True, help="Make it interactive, or a still page.  [default: script]")
@click.option("--trust", is_flag=True, help="Open the model of an audit though its file can run code.")
@OPEN
@debug_option
def report(files: Sequence[str], out: str, title: str | None, script: bool, trust: bool, open_it: bool) -> None:
    """Put saved results together in one HTML file that opens anywhere, without a network connection.

    \b
    FILES are
      .safetensors   of explanations: everything is there
      .html, .json   reports and other documents that were saved before
      .png           pictures of results: the picture, its caption, and what it takes to repeat it
      a folder       the store of an audit or an evaluation: all its items, as on the page

    Explanations of the same input become one page, with a layer for each.
    """
    path = Path(out)
    check(path, files)
    with ProgressBar()("reading the results"):
        from pellucid.render.report import report as put_together

        made = put_together([opened(file, trust=trust) for file in files], title=title)
        written = made.save(path, **({"script": False} if not script and path.suffix.lower() == ".html" else {}))
    output.echo(f"{len(made)} page{'s' if len(made) > 1 else ''}, {written.stat().st_size / 1000:.0f} kB")
    output.echo(f"report: {written}")
    if open_it:
        open_first([written])


def opened(file: str, *, trust: bool) -> Any:
    """A file as it is; of the store of an audit or an evaluation, what it holds."""
    if not (Path(file) / "run.json").is_file():
        return file
    from pellucid.job.judged import Judged, kept_curves
    from pellucid.job.reopen import reopened
    from pellucid.job.store import Store
    from .audit import Question

    store = Store(Path(file))
    asked = Question.of(store.path, trust=trust)
    items, model = reopened(store, asked.pictures, asked.meta), asked.model.load()
    if store.run["spec"]["task"] == "evaluate":
        kept_curves(store, items, model)
        return Judged(store, items, model.preprocess).document()
    from pellucid.job.audit.document import document

    return document(store, items, model)


def check(path: Path, files: Sequence[str]) -> None:
    """Refuse now what could not be written later, or would overwrite an input."""
    asked = f"report -o {path}"
    if path.suffix.lower() not in (".html", ".json"):
        raise OutputError(
            asked, f"the suffix {path.suffix or 'none'}", "a report has no such format", "End it in .html or .json."
        )
    if path.resolve() in {Path(file).resolve() for file in files}:
        raise OutputError(asked, "one of the results", "the report would overwrite it", "Choose another name for the report.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(asked, error.strerror or str(error), "its folder cannot be made", "Choose another place.") from None
