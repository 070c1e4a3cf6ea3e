"""`pellucid evaluate`: which method to trust on this model and these pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import completion, output
from .audit import Question, announce, checked_items, with_executor
from .errors import debug_option, exit_if_incomplete, print_failures
from .files import Folder
from .inputs import expand
from .model_options import BUILT_IN, MODEL, ModelOptions, with_model_options
from .progress import ProgressBar
from .settings import WITH, configured, split_names
from .target_options import TARGET

if TYPE_CHECKING:
    from pellucid.explanation.method import Method
    from pellucid.metrics.report.table import Table
    from pellucid.verbs.suites import Findings

METHODS, METRICS = "lrp,sensitivity,gradient_x_input", "srg,mrg,lrg,irof"
SUITES, SUITE_METHODS = ("hidden-parts", "pasted-object"), "lrp,lrp.epsilon,gradient_x_input,gradient,sensitivity"


@click.command()
@click.argument("pictures", nargs=-1, metavar="PICTURES...")
@click.option(
    "--methods", shell_complete=completion.METHODS, metavar="LIST", help=f"Several of `pellucid methods`.  [default: {METHODS}]"
)
@WITH
@click.option(
    "--metrics",
    default=METRICS,
    show_default=True,
    shell_complete=completion.METRICS,
    metavar="LIST",
    help="Several of `pellucid metrics`.",
)
@MODEL
@TARGET
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of random orders, ties and intervals.")
@click.option("--ceiling/--no-ceiling", default=None, help="Search for the best possible order.  [default: where that is quick]")
@click.option("--suite", type=click.Choice(SUITES), help="Try methods on problems whose answer is known; see above.")
@click.option(
    "--repeat", type=click.IntRange(1), metavar="N", help="Networks of hidden-parts [3], positions of pasted-object [4]."
)
@click.option("--store", metavar="DIR", help="Keep the scores of each picture there; the same line again goes on.")
@click.option(
    "--until", type=click.FloatRange(0, min_open=True), metavar="W",
    help="With --store: stop when every interval is score +- W or narrower.",
)  # fmt: skip
@with_executor
@click.option("--out", metavar="FILE", help="Write the table: table.csv, .json or .md; a folder gets all three.")
@output.JSON
@with_model_options
@debug_option
def evaluate(
    pictures: Sequence[str], methods: str | None, settings: Sequence[str], metrics: str, model_options: ModelOptions,
    target: str | None, seed: int, ceiling: bool | None, suite: str | None, repeat: int | None, out: str | None, as_json: bool,
    store: str | None, until: float | None, **how: Any,
) -> None:  # fmt: skip
    """Measure which method to trust on a model and PICTURES, files or folders of them: every method scored by every metric.

    One table with confidence intervals over the pictures, the scores of random orders and of the best order, and the cost of each
    method; and one sentence of advice.

    --store keeps the scores of each picture of one folder, drawn in a random order: a run that was interrupted goes on where it
    stopped, and any part of it is a fair sample.

    --suite hidden-parts counts how often methods mark parts that are not there, on small networks and pictures of its own.
    --suite pasted-object measures how much of a map falls on an object pasted into PICTURES, or into photographs that come with
    pellucid.
    """
    if suite is not None and (metrics != METRICS or target is not None or ceiling is not None):
        raise click.UsageError("--suite has measures and targets of its own: leave out --metrics, --target and --ceiling")
    if suite is None and not pictures:
        raise click.UsageError("Missing argument 'PICTURES...'.")
    if suite is None and repeat is not None:
        raise click.UsageError("--repeat belongs to --suite")
    check_store(store, suite, pictures, until=until, ceiling=ceiling, how=how)
    usual = METHODS if suite is None else SUITE_METHODS
    names = split_names(usual if methods is None else methods, "--methods", usual)
    files = list(dict.fromkeys(expand(pictures))) if store is None else []
    metric_names, progress = split_names(metrics, "--metrics", METRICS), ProgressBar()
    asked, written = configured(names, settings), tables(out)
    result: Table | Findings
    if store is not None:
        about = {"target": target or "predicted", "seed": seed, "threads": how.pop("threads")}
        result = resume(model_options, pictures[0], asked, metric_names, progress, store, until, how, **about)
        print_table(result, [result.save(file) for file in written], as_json=as_json)
    elif suite is None:
        result = measure(model_options, files, asked, metric_names, progress, target=target, seed=seed, ceiling=ceiling)
        print_table(result, [result.save(file) for file in written], as_json=as_json)
    else:
        result = run_suite(suite, files, asked, model_options, repeat=repeat, seed=seed, progress=progress)
        print_findings(result, [result.save(file) for file in written], as_json=as_json)
    exit_if_incomplete(called_off=progress.called_off, failed=bool(result.failures))


def measure(
    model_options: ModelOptions, files: Sequence[str], methods: Mapping[str, Method], metrics: Sequence[str],
    progress: ProgressBar, **options: Any,
) -> Table:  # fmt: skip
    """Every method scored by every metric, names checked before the model is loaded."""
    with progress("starting"):
        from pellucid.catalogue.metrics import metric
        from pellucid.verbs import evaluate as verb

        for name in metrics:
            metric(name)
        model = model_options.load()
        model.check_reads_pictures()
    with progress(f"{len(methods)} methods by {len(metrics)} metrics on {len(files)} pictures"):
        return verb.evaluate(model, files, methods, metrics, **options)


def check_store(
    store: str | None, suite: str | None, pictures: Sequence[str], *, until: float | None, ceiling: bool | None,
    how: Mapping[str, Any],
) -> None:  # fmt: skip
    """Refuse options that do not go together with a store, or without one."""
    if store is None and (until is not None or how["executor"] != "auto" or how["workers"] or how["ray"]):
        raise click.UsageError("--until, --executor, --workers and --ray belong to --store")
    if store is not None and (suite is not None or ceiling or len(pictures) != 1):
        raise click.UsageError("--store keeps the scores of one folder of PICTURES: leave out --suite and --ceiling")


def resume(
    model_options: ModelOptions, pictures: str, methods: Mapping[str, Method], metrics: Sequence[str], progress: ProgressBar,
    store: str, until: float | None, how: Mapping[str, Any], **about: Any,
) -> Table:  # fmt: skip
    """What is left of an evaluation that is kept in a store, and the table of all of it."""
    with progress("starting"):
        from pellucid.catalogue.metrics import metric
        from pellucid.core.progress import watched
        from pellucid.job import items as sources
        from pellucid.job.evaluating import evaluating, narrow_enough, table
        from pellucid.job.run import run

        for name in metrics:
            metric(name)
        model = model_options.load()
        items = checked_items(model, sources.of(Path(pictures)))
        job = evaluating(model, items, methods, metrics, source=model_options.load, **about)
    how = {**how, "origin": Question(pictures, model_options, threads=about["threads"]).origin, "announce": announce}
    with progress(f"{len(methods)} methods by {len(metrics)} metrics on {len(job.items)} items"):
        how = {**how} | ({"executor": "ray"} if how["ray"] else {})
        if until is None:
            done = run(job, store, **how)
        else:
            with watched(narrow_enough(Path(store), until)):
                done = run(job, store, **how)
    if done.broken:
        announce(f"{len(done.broken)} items have no scores: `pellucid runs failures {store}` lists them.")
    return table(done.store)


def run_suite(
    name: str, pictures: Sequence[str], methods: Mapping[str, Method], model_options: ModelOptions, *, repeat: int | None,
    seed: int, progress: ProgressBar,
) -> Findings:  # fmt: skip
    """Run one of `SUITES`.

    Arguments:
        repeat: How many networks for hidden parts, how many places for the object; None: 3 and 4.
    """
    hidden = name == "hidden-parts"
    if hidden and (pictures or model_options.model != BUILT_IN):
        raise click.UsageError("--suite hidden-parts makes its own pictures and networks: give none")
    with progress("starting"):
        from pellucid.verbs.suites import hidden_parts, pasted_object
        from pellucid.verbs.suites.pasted import OBJECTS

        if not hidden:
            model = model_options.load()
            model.check_reads_pictures()
    with progress(f"{len(methods)} methods on {name}"):
        if hidden:
            return hidden_parts(methods, seeds=range(seed, seed + (3 if repeat is None else repeat)))
        objects = OBJECTS[:2] if len(pictures) == 1 else OBJECTS  # the third takes two pictures
        return pasted_object(model, list(pictures) or None, methods, objects, places=4 if repeat is None else repeat, seed=seed)


def tables(out: str | None) -> list[Path]:
    """The files to write, in a folder that is known to be writable."""
    from pellucid.core.formats import FORMATS

    if out is None:
        return []
    path = Path(out)
    single = path.suffix.lower() in FORMATS["table"]
    folder = Folder(path.parent if single else path)
    folder.check()
    folder.make()
    return [path] if single else [path / f"evaluation{suffix}" for suffix in FORMATS["table"]]


def print_table(t: Table, files: Sequence[Path], *, as_json: bool) -> None:
    """The table for a program or for a person; what failed, on stderr."""
    from pellucid.metrics.report.table import HEADS, cells, to_dict

    print_failures({f"{method}{f' by {metric}' if metric else ''}": error for (method, metric), error in t.failures.items()})
    if as_json:
        return output.print_json({"files": [str(file) for file in files]} | to_dict(t))
    output.print_table(HEADS, [cells(row) for row in t.rows])
    output.echo()
    output.print_text(t.advice, *t.notes)
    output.print_files(files)


def print_findings(findings: Findings, files: Sequence[Path], *, as_json: bool) -> None:
    """The findings for a program or for a person; what failed, on stderr."""
    from pellucid.verbs.suites.findings import cells, header, sentences, to_dict

    print_failures(findings.failures)
    if as_json:
        return output.print_json({"files": [str(file) for file in files]} | to_dict(findings))
    output.echo(f"{findings.asked}\n")
    output.print_table(header(findings), cells(findings))
    output.echo()
    output.print_text(*sentences(findings))
    output.print_files(files)
