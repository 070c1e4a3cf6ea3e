"""`pellucid runs`: what a run will take, how far it is, what failed, and its results for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core import allocator
from pellucid.errors import TargetError
from . import output
from .audit import LAYERS, META, METHOD, TARGET, Question
from .errors import SOME_FAILED, debug_option
from .model_options import MODEL, ModelOptions, with_model_options
from .progress import ProgressBar
from .settings import WITH

if TYPE_CHECKING:
    from pellucid.job.items import Items
    from pellucid.job.store import Store


@click.group()
@debug_option
def runs() -> None:
    """Runs over many inputs: what one will take, how far it is, what failed, and its results for other programs."""


STORE = click.argument("store", type=click.Path(exists=True, file_okay=False), metavar="STORE")


@runs.command(short_help="What a run will take, before it starts.")
@click.argument("path", metavar="PICTURES|STORE")
@MODEL
@META
@METHOD
@WITH
@TARGET
@LAYERS
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Threads of a worker.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Workers of Ray.  [default: one per device]")
@output.JSON
@with_model_options
@debug_option
def plan(
    path: str, model_options: ModelOptions, workers: int | None, as_json: bool, settings: tuple[str, ...], **typed: Any
) -> None:
    """Time, memory and disk that an audit of PICTURES will take, or what is left of the one in STORE.

    A few batches are computed and timed; nothing is written.
    """
    with ProgressBar()("measuring"):
        from pellucid.job.plan import plan as measure
        from pellucid.job.store import Store

        store = Path(path)
        known = (store / "run.json").exists()
        question = Question(path, model_options, settings=settings, **typed)
        question = Question.of(store, trust=model_options.trust) if known else question
        job = question.job(question.model.load())
        found = measure(job, store if known else Path.cwd(), done=len(Store(store).done()) if known else 0, workers=workers)
    if as_json:
        return output.print_json(found.document())
    output.print_text(*found.sentences())


@runs.command(short_help="How far a run is.")
@STORE
@output.JSON
@debug_option
def status(store: str, as_json: bool) -> None:
    """What a run computes, how many shards are done, and how many items have no result."""
    from pellucid.job.job import flat

    place = opened(store)
    run, done, broken = place.run, place.done(), place.broken()
    if as_json:
        figures = {"shards": place.shards, "done": len(done), "broken": len(broken)}
        return output.print_json({"id": run["id"]} | figures | {"spec": run["spec"]})
    output.echo(f"{len(done)} of {place.shards} shards, {len(broken)} items without a result", bold=True)
    output.print_table(("", ""), [(name, str(value)) for name, value in flat(run["spec"]).items()])


@runs.command(short_help="Which items have no result, and why.")
@STORE
@output.JSON
@debug_option
def failures(store: str, as_json: bool) -> None:
    """Items without a result, each with the reason."""
    broken = opened(store).broken()
    for key, reason in broken.items():
        output.print_json({"key": key, "reason": reason}) if as_json else output.echo(f"{key}: {reason}")
    if not broken and not as_json:
        output.echo("Every item that was computed has a result.")


@runs.command(short_help="Forget failures, so that they are tried again.")
@STORE
@debug_option
def retry(store: str) -> None:
    """Take shards with items that failed out of the store; the line that was typed at first computes them again."""
    from pellucid.job.disk import locked

    place = opened(store)
    with locked(place.path / "lock"):
        numbers = [shard.number for shard in place.valid() if shard.broken]
        for number in numbers:
            place.shard_path(number).unlink()
    told = "type the line that made it again to compute them" if numbers else "there is nothing to try again"
    output.echo(f"{len(numbers)} shards taken out; {told}.")


@runs.command(short_help="Check every shard, and make the index anew.")
@STORE
@debug_option
def check(store: str) -> None:
    """Read every shard and compare its checksum; remove what a killed run left; make items.sqlite and quarantine.jsonl anew."""
    from pellucid.job.disk import locked, remove_temporary
    from pellucid.job.index import build

    place = opened(store)
    with locked(place.path / "lock"):
        removed = remove_temporary(place.path)
        damaged = place.damaged()
        for path in damaged:
            path.unlink()
        place.write_quarantine()
        items = items_of(place)
        if place.columns:
            build(place, items.keys, items.labels)
    done = len(place.done())
    output.echo(f"{done} of {place.shards} shards are whole; {len(damaged)} damaged and {removed} unfinished files removed.")
    if damaged:
        raise click.exceptions.Exit(SOME_FAILED)


@runs.command(short_help="Results for other programs.")
@STORE
@click.option("--out", required=True, metavar="FILE", help="A .csv, .parquet or .zarr; the last two with maps and channels.")
@debug_option
def export(store: str, out: str) -> None:
    """Write a line for each item: class, score, probability, ledger; as Parquet or Zarr also maps and channels."""
    from pellucid.job.export import export as write

    place = opened(store)
    items = items_of(place)
    output.print_files([write(place, Path(out), items.keys, items.labels)])


def opened(path: str) -> Store:
    """The store in a folder, which has to be one of a run."""
    allocator.configure()
    from pellucid.job.store import Store

    found = Store(Path(path))
    _ = found.run
    return found


def items_of(store: Store) -> Items:
    """The items of a run, as they were listed when it was made."""
    return store.items()


def class_index(store: Store, name: str | None) -> int | None:
    """A class by its index, or by the name of the folder its items are in.

    Raises:
        TargetError: no item is of such a class.
    """
    if name is None or name.isdigit():
        return None if name is None else int(name)
    names = store.class_names()
    if name.casefold() not in names:
        do = "Give its index, or one of those."
        raise TargetError(f"--class {name}", f"the classes {', '.join(sorted(names)[:8])}", "no item is of that class", do)
    return names[name.casefold()]
