"""`pellucid compare`: several methods on one picture, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import completion, output
from .errors import debug_option, exit_if_incomplete, print_failures
from .files import OPEN, OUT, Folder, file_names, format_option, open_first
from .inputs import TEXT, Input, named_inputs
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import CostLines, ProgressBar
from .settings import WITH, configured, pair, split_names
from .target_options import BY, TOP, TargetOptions, with_target_options

if TYPE_CHECKING:
    from pellucid.explanation.comparison import Comparison

METHODS = "lrp,sensitivity,integrated_gradients,gradcam,occlusion"


@click.command()
@click.argument("paths", nargs=-1, metavar="PICTURE")
@TEXT
@click.option(
    "--methods",
    default=METHODS,
    show_default=True,
    shell_complete=completion.METHODS,
    metavar="LIST",
    help="Several of `pellucid methods`.",
)
@WITH
@MODEL
@with_target_options
@TOP
@BY
@OUT
@format_option("png", "png, html, json, jpg, pdf")
@OPEN
@output.JSON
@with_model_options
@debug_option
def compare(
    paths: Sequence[str], texts: Sequence[str], methods: str, settings: Sequence[str], model_options: ModelOptions,
    target_options: TargetOptions, out: str, formats: str, open_it: bool, as_json: bool, **drawn: Any,
) -> None:  # fmt: skip
    """Explain one PICTURE by several methods: one sheet with their maps side by side, each on its own stated scale, and below
    each the regions it points to.

    The sheet is named after the picture and the target: cat.compare.png.
    """
    inputs, names = named_inputs(paths, texts), split_names(methods, "--methods", METHODS)
    if len(inputs) > 1:
        raise click.UsageError("One picture or text is compared at a time")
    one, progress = inputs[0], ProgressBar()
    with progress("starting"):
        from pellucid.verbs import compare as verb

        words = ("compare", *("=".join(pair(text)) for text in settings), *target_options.words)
        folder, (file_name,) = Folder.of(out, formats, "comparison"), file_names([one.path], *words)
        folder.check([file_name], paths)
        asked = configured(names, settings)
        model = model_options.load()
        target_options.check(model, inputs)
    with progress(Path(one.path).name), CostLines().said():
        c = target_options.run(verb.compare, model, one, methods=asked)
        each = {name: replace(e, provenance=e.provenance | one.record) for name, e in c.explanations.items()}
        c = replace(c, explanations=each)
        files = folder.write(c, file_name, **drawn)
    print_result(one, c, files, as_json=as_json)
    if open_it:
        open_first(files)
    exit_if_incomplete(called_off=progress.called_off, failed=bool(c.failures))


def print_result(one: Input, c: Comparison, files: Sequence[Path], *, as_json: bool) -> None:
    """The explanations, for a program or for a person; what failed, on stderr."""
    print_failures(c.failures)
    if as_json:
        from pellucid.explanation.comparison import to_dict

        return output.print_json(one.record | output.by_format(files) | to_dict(c))
    output.print_classes(c.any)
    for name, e in c.explanations.items():
        output.echo(f"{c.seconds[name]:7.2f} s  {e.caption()}")
    output.print_files(files)
