"""`pellucid evaluate --suite`: methods tried where it is known what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import output
from .arguments import in_options
from .errors import tell
from .model_options import BUILT_IN, Source, check_reads_pictures
from .progress import Watch

if TYPE_CHECKING:
    from pellucid.verbs.suites import Findings

SUITES = ("hidden-parts", "pasted-object")
METHODS = "lrp,lrp.epsilon,gradient_x_input,gradient,sensitivity"


def suite(
    name: str, pictures: Sequence[str], methods: Sequence[str], source: Source, *, repeat: int | None, seed: int, watch: Watch
) -> Findings:
    """Run one of `SUITES`."""
    if name == "hidden-parts" and (pictures or source.model != BUILT_IN):
        raise click.UsageError("--suite hidden-parts makes its own pictures and networks: give none")
    with watch("starting"):
        from pellucid.catalogue.methods import method

        for one in methods:
            method(one)
        work = partial(_hidden_parts, seed=seed) if name == "hidden-parts" else _pasted(source, pictures, seed)
    with watch(f"{len(methods)} methods on {name}"):
        return work(methods, repeat)


def _hidden_parts(methods: Sequence[str], repeat: int | None, *, seed: int) -> Findings:
    from pellucid.verbs.suites import hidden_parts

    return hidden_parts(methods, seeds=range(seed, seed + (3 if repeat is None else repeat)))


def _pasted(source: Source, pictures: Sequence[str], seed: int) -> Callable[[Sequence[str], int | None], Findings]:
    """The work that is left when the model is there."""
    from pellucid.verbs.suites import pasted_object
    from pellucid.verbs.suites.pasted import OBJECTS

    model = source.open()
    check_reads_pictures(model)
    objects = OBJECTS[:2] if len(pictures) == 1 else OBJECTS  # the third takes two pictures

    def work(methods: Sequence[str], repeat: int | None) -> Findings:
        return pasted_object(model, list(pictures) or None, methods, objects, places=4 if repeat is None else repeat, seed=seed)

    return work


def report(found: Findings, files: Sequence[Path], *, as_json: bool) -> None:
    """The findings for a program or for a person; what failed, on stderr."""
    from pellucid.verbs.suites.findings import cells, heads, sentences, to_dict

    for method, error in found.failures.items():
        tell(f"{method}: {in_options(error)}", mark="No answer from")
    if as_json:
        return output.document({"files": [str(file) for file in files]} | to_dict(found))
    click.echo(f"{found.asked}\n")
    output.table(heads(found), cells(found))
    click.echo()
    for words in sentences(found):
        click.echo(words)
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")
