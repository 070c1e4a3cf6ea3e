"""`pellucid evaluate`: which method to trust on this model and these pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from pellucid.errors import MethodError, PictureError
from . import allocator, output
from . import suite as suites
from .arguments import in_options
from .errors import INTERRUPTED, SOME_FAILED, debuggable, tell
from .files import Folder
from .model_options import BUILT_IN, Source, check_reads_pictures, takes_source
from .progress import Watch
from .suite import SUITES

if TYPE_CHECKING:
    from pellucid.metrics.report.table import Table

METHODS, METRICS = "lrp,sensitivity,gradient_x_input", "srg,mrg,lrg,irof"
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@click.command(short_help="Which method to trust on a model and pictures.")
@click.argument("pictures", nargs=-1, metavar="PICTURES...")
@click.option("--methods", metavar="LIST", help=f"Some of `pellucid methods`.  [default: {METHODS}]")
@click.option("--metrics", default=METRICS, show_default=True, metavar="LIST", help="Some of `pellucid metrics`.")
@click.option("--model", default=BUILT_IN, show_default=True, metavar="MODEL", help="A built-in model, or a file.")
@click.option("--target", metavar="CLASS", help="The class to explain, by name or index.  [default: the predicted one of each]")
@click.option("--seed", default=0, show_default=True, help="Of random orders, ties and intervals.")
@click.option("--ceiling/--no-ceiling", default=None, help="Search for the best order.  [default: where that is quick]")
@click.option("--suite", "known", type=click.Choice(SUITES), help="Try methods where it is known what is there; see below.")
@click.option("--repeat", type=click.IntRange(1), metavar="N", help="Networks of hidden-parts [3], places of pasted-object [4].")
@click.option("--out", metavar="FILE", help="Write the table: table.csv, .json or .md; a folder gets all three.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, and nothing else.")
@takes_source
@debuggable
def evaluate(
    pictures: Sequence[str],
    methods: str | None,
    metrics: str,
    source: Source,
    target: str | None,
    seed: int,
    ceiling: bool | None,
    known: str | None,
    repeat: int | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Which method to trust on a model and on PICTURES, files or folders of them: every method judged by every metric.

    One table with intervals over the pictures, what random orders and the best order reach, and what each method costs; and one
    sentence of advice.

    --suite hidden-parts asks which methods mark parts that are not there, on small networks and pictures of its own, no PICTURES
    needed; --suite pasted-object how much of a map falls on an object put in front of PICTURES, or of those that come along.
    """
    watch = Watch()
    allocator.settle()
    if known is not None:
        if metrics != METRICS or target is not None or ceiling is not None:
            raise click.UsageError("--suite has measures and targets of its own: leave out --metrics, --target and --ceiling")
        return tried(known, pictures, methods, source, repeat, seed, out, as_json, watch)
    if not pictures:
        raise click.UsageError("Missing argument 'PICTURES...'.")
    if repeat is not None:
        raise click.UsageError("--repeat belongs to --suite")
    methods = METHODS if methods is None else methods
    wanted, judges = listed(methods, "methods", METHODS), listed(metrics, "metrics", METRICS)
    given = expanded(pictures)
    with watch("starting"):
        from pellucid.catalogue.methods import method
        from pellucid.catalogue.metrics import metric
        from pellucid.verbs import evaluate as verb

        files = places(out)
        for name in wanted:
            method(name)
        for name in judges:
            metric(name)
        model = source.open()
        check_reads_pictures(model)
    with watch(f"{len(wanted)} methods by {len(judges)} metrics on {len(given)} pictures"):
        t = verb.evaluate(model, given, wanted, judges, target, seed=seed, ceiling=ceiling)
        written = [t.save(file) for file in files]
    report(t, written, as_json=as_json)
    if watch.called_off:
        raise Exit(INTERRUPTED)
    if t.failures:
        raise Exit(SOME_FAILED)


def tried(
    known: str,
    pictures: Sequence[str],
    methods: str | None,
    source: Source,
    repeat: int | None,
    seed: int,
    out: str | None,
    as_json: bool,
    watch: Watch,
) -> None:
    """A suite in place of the user's own pictures."""
    wanted = listed(suites.METHODS if methods is None else methods, "methods", suites.METHODS)
    given, files = expanded(pictures), places(out)
    found = suites.suite(known, given, wanted, source, repeat=repeat, seed=seed, watch=watch)
    suites.report(found, [found.save(file) for file in files], as_json=as_json)
    if watch.called_off:
        raise Exit(INTERRUPTED)
    if found.failures:
        raise Exit(SOME_FAILED)


def listed(names: str, what: str, usual: str) -> list[str]:
    """Names with commas between them, each once."""
    found = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not found:
        raise MethodError(f"--{what} {names!r}", f"no {what}", "there is nothing to judge", f"Name some: --{what} {usual}.")
    return found


def expanded(pictures: Sequence[str]) -> list[str]:
    """Every picture once, those of folders by name."""
    found: list[str] = []
    for given in pictures:
        if not Path(given).is_dir():
            found.append(given)
            continue
        inside = sorted(str(file) for file in Path(given).iterdir() if file.suffix.lower() in PICTURES)
        if not inside:
            raise PictureError(
                f"pictures from {click.format_filename(given)}", "a folder without any", "there is nothing to explain",
                f"Pictures end in {', '.join(PICTURES)}.",
            )  # fmt: skip
        found += inside
    return list(dict.fromkeys(found))


def places(out: str | None) -> list[Path]:
    """The files to write, in a folder that is known to be writable."""
    from pellucid.core.formats import FORMATS

    if out is None:
        return []
    path = Path(out)
    single = path.suffix.lower() in FORMATS["table"]
    folder = Folder(path.parent if single else path, ())
    folder.check()
    folder.path.mkdir(parents=True, exist_ok=True)
    return [path] if single else [path / f"evaluation{suffix}" for suffix in FORMATS["table"]]


def report(t: Table, files: Sequence[Path], *, as_json: bool) -> None:
    """The table for a program or for a person; what failed, on stderr."""
    from pellucid.metrics.report.table import HEADS, cells, to_dict

    for (method, metric), error in t.failures.items():
        tell(f"{method}{f' by {metric}' if metric else ''}: {in_options(error)}", mark="No answer from")
    if as_json:
        return output.document({"files": [str(file) for file in files]} | to_dict(t))
    output.table(HEADS, [cells(row) for row in t.rows])
    click.echo()
    for words in (t.advice, *t.notes):
        click.echo(words)
    if files:
        click.echo(f"Written: {', '.join(map(click.format_filename, files))}")
