"""`pellucid explain`: which pixels or words are evidence for a class, which against, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from pellucid.errors import InputError, PellucidError, PictureError, TargetError, WhereError, error_to_dict
from . import output
from .arguments import in_options
from .completion import METHODS
from .errors import REFUSED, debug_option, exit_if_incomplete, print_error, print_failure
from .files import OPEN, OUT, Folder, file_names, format_option, open_first, write_pages
from .inputs import TEXT, Input, named_inputs
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import CostLines, ProgressBar
from .repro import typed_options
from .settings import WITH, configured, settings_by_method, split_names
from .target_options import BY, TOP, TargetOptions, with_target_options

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from pellucid.explanation.method import Method
    from pellucid.model import Model


MOST_PAGES = 10  # of panels, each a file


@click.command()
@click.argument("paths", nargs=-1, metavar="PICTURE...")
@TEXT
@MODEL
@click.option(
    "--method",
    "methods",
    default="lrp",
    show_default=True,
    shell_complete=METHODS,
    metavar="LIST",
    help="One or more of `pellucid methods`.",
)
@WITH
@with_target_options
@click.option("--view", default="map", show_default=True, metavar="LIST", help="What is drawn, among map, outlines, regions.")
@TOP
@BY
@OUT
@format_option("png,json,safetensors", "png, json, safetensors, html, svg, txt, jpg, pdf, npy, csv")
@OPEN
@output.JSON
@with_model_options
@debug_option
def explain(
    paths: Sequence[str], texts: Sequence[str], model_options: ModelOptions, methods: str, settings: Sequence[str],
    target_options: TargetOptions, out: str, formats: str, open_it: bool, as_json: bool, **drawn: Any,
) -> None:  # fmt: skip
    """Which pixels of a PICTURE are evidence for a class, which are evidence against it, and by how much.

    PICTURE may also be a folder, or a text file, a table or a time series, for a model that reads them: `pellucid explain
    review.txt --model hf:./folder`. Results are named after input, method and target: cat.lrp.png, cat.lrp.tiger-cat.png.
    """
    inputs, names = named_inputs(paths, texts), split_names(methods, "--method", "lrp")
    progress, costs = ProgressBar(len(inputs) * len(names)), CostLines()
    with progress("starting"):
        from pellucid.render import Shown

        folder = Folder.of(out, formats, "explanation")
        questions = asked(inputs, configured(names, settings), settings_by_method(names, settings), target_options.words)
        folder.check([one.file for one in questions], [one.input.path for one in questions])
        Shown(drawn["view"]).views()
        model = model_options.load()
        target_options.check(model, inputs)
    written: list[Path] = []
    failed: list[Input] = []
    for index, one in enumerate(questions):
        if progress.called_off:
            print_error(f"{len(questions) - index} of {len(questions)} {of(questions)} were not explained.", label="Called off:")
            break
        try:
            with progress(one.label, completes=1), costs.said():
                e = one.answer(model, target_options)
                again = typed_options(model_options, target_options, one.name, one.settings, drawn)
                e = replace(e, provenance=e.provenance | again)
                files = folder.write(e, one.file, **drawn)
                files += write_pages(e, files, pages_of(e), drawn)
        except Exception as error:
            if len(failed) == index and is_about_all(error, methods=len(names)):
                raise  # nothing has succeeded yet: what was asked is wrong, not this input
            print_failure(click.get_current_context(), error)
            if as_json:
                error = in_options(error) if isinstance(error, PellucidError) else error
                output.print_json(one.input.record | {"error": error_to_dict(error)})
            failed.append(one.input)
        else:
            if index == len(failed) and not as_json:  # the first that succeeded
                output.print_model(model)
            written += files
            print_result(one.input, e, files, as_json=as_json, headed=len(questions) > 1)
    if open_it:
        open_first(written)
    finish(questions, failed, called_off=progress.called_off)


def pages_of(e: Explanation) -> int:
    """How many pages of panels are written: all of a few; of many the first, for an overview shows more."""
    from pellucid.model.modality import Generated
    from pellucid.render.grid import pages

    return pages(e) if not isinstance(e.subject, Generated) and pages(e) <= MOST_PAGES else 1


def is_about_all(error: Exception, *, methods: int) -> bool:
    """Whether what failed fails on every input alike, and by every method."""
    return isinstance(error, TargetError | WhereError) if methods > 1 else not isinstance(error, PictureError | InputError)


@dataclass(frozen=True)
class Question:
    """One input to be explained by one method, and the name of the files for the answer.

    Arguments:
        name: What was typed as the method.
        settings: What was typed as its settings.
    """

    input: Input
    name: str
    method: Method
    settings: Mapping[str, str]
    file: str

    @property
    def label(self) -> str:
        return f"{Path(self.input.path).name} by {self.method.name}"

    def answer(self, model: Model, target_options: TargetOptions) -> Explanation:
        from pellucid.verbs import explain as verb

        ask: Callable[..., Explanation] = verb.explain
        e = target_options.run(ask, model, self.input, method=self.method)
        return replace(e, provenance=e.provenance | self.input.record)


def asked(
    inputs: Sequence[Input], methods: Mapping[str, Method], settings: Mapping[str, dict[str, str]], words: Sequence[str]
) -> list[Question]:
    """Every input by every method, those of one input together."""
    paths = [one.path for one in inputs]
    typed = {name: " ".join(map("=".join, given.items())) for name, given in settings.items()}
    files = {name: file_names(paths, name, typed[name], *words) for name in methods}
    numbered = enumerate(inputs)
    return [
        Question(one, name, method, settings[name], files[name][number])
        for number, one in numbered
        for name, method in methods.items()
    ]


def of(questions: Sequence[Question]) -> str:
    """What is counted: pictures, or several answers of each."""
    return "pictures" if len({one.method.name for one in questions}) == 1 else "explanations"


def print_result(one: Input, e: Explanation, files: Sequence[Path], *, as_json: bool, headed: bool) -> None:
    """One input's result, for a program or for a person."""
    if as_json:
        from pellucid.explanation.serialization import summary

        return output.print_json(one.record | output.by_format(files) | summary(e))
    if headed:
        output.echo(one.label, bold=True)
    output.print_explanation(e)
    output.print_files(files)
    if headed:
        output.echo()


def finish(questions: Sequence[Question], failed: Sequence[Input], *, called_off: bool) -> None:
    """Leave with the exit code that says whether everything was explained."""
    if failed and len(questions) == 1:
        raise Exit(REFUSED)
    if failed and not called_off:
        names = ", ".join(dict.fromkeys(click.format_filename(one.path) for one in failed))
        words = f"{len(failed)} of {len(questions)} {of(questions)} could not be explained: {names}."
        print_error(words, label="pellucid:")
    exit_if_incomplete(called_off=called_off, failed=bool(failed))
