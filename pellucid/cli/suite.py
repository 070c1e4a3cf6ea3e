"""`pellucid evaluate --suite`: methods tried on problems whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import output
from .errors import print_failures
from .model_options import BUILT_IN, ModelOptions
from .progress import ProgressBar

if TYPE_CHECKING:
    from pellucid.verbs.suites import Findings

SUITES = ("hidden-parts", "pasted-object")
METHODS = "lrp,lrp.epsilon,gradient_x_input,gradient,sensitivity"


def run_suite(
    name: str, pictures: Sequence[str], methods: Sequence[str], model_options: ModelOptions, *, repeat: int | None, seed: int,
    progress: ProgressBar,
) -> Findings:  # fmt: skip
    """Run one of `SUITES`.

    Arguments:
        repeat: How many networks for hidden parts, how many places for the object; None: 3 and 4.
    """
    hidden = name == "hidden-parts"
    if hidden and (pictures or model_options.model != BUILT_IN):
        raise click.UsageError("--suite hidden-parts makes its own pictures and networks: give none")
    with progress("starting"):
        from pellucid.catalogue.methods import method
        from pellucid.verbs.suites import hidden_parts, pasted_object
        from pellucid.verbs.suites.pasted import OBJECTS

        for one in methods:
            method(one)
        if not hidden:
            model = model_options.load()
            model.check_reads_pictures()
    with progress(f"{len(methods)} methods on {name}"):
        if hidden:
            return hidden_parts(methods, seeds=range(seed, seed + (3 if repeat is None else repeat)))
        objects = OBJECTS[:2] if len(pictures) == 1 else OBJECTS  # the third takes two pictures
        return pasted_object(model, list(pictures) or None, methods, objects, places=4 if repeat is None else repeat, seed=seed)


def print_findings(findings: Findings, files: Sequence[Path], *, as_json: bool) -> None:
    """The findings for a program or for a person; what failed, on stderr."""
    from pellucid.verbs.suites.findings import cells, header, sentences, to_dict

    print_failures(findings.failures)
    if as_json:
        return output.print_json({"files": [str(file) for file in files]} | to_dict(findings))
    click.echo(f"{findings.asked}\n")
    output.print_table(header(findings), cells(findings))
    click.echo()
    output.print_text(*sentences(findings))
    output.print_files(files)
