"""`pellucid explain`: which pixels or words are evidence for a class, which against, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from pellucid.errors import InputError, PellucidError, PictureError, error_to_dict
from . import output
from .arguments import in_options
from .errors import REFUSED, debug_option, exit_if_incomplete, print_error, print_failure
from .files import OUT, Folder, file_names, format_option
from .inputs import TEXT, Input, named_inputs
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import ProgressBar
from .target_options import BY, TOP, TargetOptions, with_target_options

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation


@click.command()
@click.argument("paths", nargs=-1, metavar="PICTURE...")
@TEXT
@MODEL
@click.option("--method", default="lrp", show_default=True, metavar="NAME", help="One of `pellucid methods`.")
@with_target_options
@click.option("--view", default="map", show_default=True, metavar="LIST", help="What is drawn, among map, outlines, regions.")
@TOP
@BY
@OUT
@format_option("png,json,safetensors", "png, json, safetensors, html, svg, txt")
@output.JSON
@with_model_options
@debug_option
def explain(
    paths: Sequence[str], texts: Sequence[str], model_options: ModelOptions, method: str, target_options: TargetOptions,
    out: str, formats: str, as_json: bool, **drawn: Any,
) -> None:  # fmt: skip
    """Which pixels of a PICTURE are evidence for a class, which are evidence against it, and by how much.

    PICTURE may also be a text file, a table or a time series, for a model that reads them: `pellucid explain review.txt --model
    hf:./folder`. Results are named after input, method and target: cat.lrp.png, cat.lrp.tiger-cat.png.
    """
    inputs = named_inputs(paths, texts)
    progress = ProgressBar(len(inputs))
    with progress("starting"):
        from pellucid.render import Shown
        from pellucid.verbs import explain as verb

        folder = Folder.of(out, formats, "explanation")
        names = file_names([one.path for one in inputs], method, *target_options.words)
        folder.check(names, paths)
        Shown(drawn["view"]).views()
        model = model_options.load()
        target_options.check(model, [method], inputs)
    failed: list[Input] = []
    for index, (one, name) in enumerate(zip(inputs, names, strict=True)):
        if progress.called_off:
            print_error(f"{len(inputs) - index} of {len(inputs)} pictures were not explained.", label="Called off:")
            break
        try:
            with progress(Path(one.path).name, completes=1):
                e = target_options.run(verb.explain, model, one, method=method)
                e = replace(e, provenance=e.provenance | one.record)
                files = folder.write(e, name, **drawn)
        except Exception as error:
            if not isinstance(error, PictureError | InputError) and len(failed) == index:
                raise  # nothing has succeeded yet: what was asked is wrong, not this input
            print_failure(click.get_current_context(), error)
            if as_json:
                error = in_options(error) if isinstance(error, PellucidError) else error
                output.print_json(one.record | {"error": error_to_dict(error)})
            failed.append(one)
        else:
            if index == len(failed) and not as_json:  # the first that succeeded
                output.print_model(model)
            print_result(one, e, files, as_json=as_json, headed=len(inputs) > 1)
    finish(inputs, failed, called_off=progress.called_off)


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


def finish(inputs: Sequence[Input], failed: Sequence[Input], *, called_off: bool) -> None:
    """Leave with the exit code that says whether all inputs were explained."""
    if failed and len(inputs) == 1:
        raise Exit(REFUSED)
    if failed and not called_off:
        names = ", ".join(click.format_filename(one.path) for one in failed)
        print_error(f"{len(failed)} of {len(inputs)} pictures could not be explained: {names}.", label="pellucid:")
    exit_if_incomplete(called_off=called_off, failed=bool(failed))
