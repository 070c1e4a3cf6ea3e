"""`pellucid audit`: does a network cheat on a folder of pictures, where, how often, and would it fall without the shortcut?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core import allocator
from pellucid.errors import OutputError
from . import output
from .completion import METHODS
from .errors import debug_option, exit_if_incomplete
from .model_options import MODEL, ModelOptions, check_computes, with_model_options
from .progress import ProgressBar
from .repro import options
from .settings import WITH, configured

if TYPE_CHECKING:
    from pellucid.job.audit.audit import Audit
    from pellucid.job.items import Items
    from pellucid.model import Model

FILES = ("model", "labels", "columns")  # options of a model that may name files
SHOWN = 10  # clusters


class WithDefault(click.Group):
    """A group whose first subcommand is meant where none is named: `pellucid audit PICTURES`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = (*self.commands, "--help", "-h", "--debug")
        return super().parse_args(ctx, args if not args or args[0] in known else ["run", *args])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=WithDefault)
@debug_option
def audit() -> None:
    """Which strategies a network has for each class, over a whole data set, and which of them look like shortcuts.

    \b
    pellucid audit photos/ --store runs/photos      explains all pictures, and ranks clusters of explanations
    pellucid audit confirm runs/photos --cluster 0  tests one: the mark is removed, and pasted on other classes
    pellucid audit mend runs/photos --cluster 0     tries a remedy, and measures it
    pellucid audit portray runs/photos --cluster 0  draws what its channels look for
    """


STORE = click.option("--store", required=True, metavar="DIR", help="Folder for the results; the same line again goes on there.")
META = click.option(
    "--meta", type=click.Path(exists=True, dir_okay=False), metavar="CSV",
    help="What is known of each picture, by file name; a column `label` replaces the names of folders.",
)  # fmt: skip
METHOD = click.option(
    "--method", default="lrp", show_default=True, shell_complete=METHODS, metavar="NAME", help="What explains each picture."
)
TARGET = click.option(
    "--target", default="auto", show_default=True, metavar="CLASS",
    help="What is explained: predicted, label, a class, or auto: the label where all labels are classes.",
)  # fmt: skip
LAYERS = click.option("--layers", metavar="LIST", help="Layers whose channels are kept.  [default: the last one with maps]")
EXECUTOR = (
    click.option(
        "--executor", type=click.Choice(["auto", "serial", "ray"]), default="auto", show_default=True,
        help="This process, or Ray's workers; auto: Ray where minutes of work are left for several.",
    ),
    click.option("--workers", type=click.IntRange(1), metavar="N", help="Workers of Ray.  [default: one per device]"),
    click.option("--ray", metavar="ADDRESS", help="An existing cluster of Ray; implies --executor ray."),
    click.option("--timeout", type=float, default=120.0, show_default=True, metavar="S", help="Seconds a batch may take."),
    click.option("--threads", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Threads of a worker."),
)  # fmt: skip


def with_executor(command: Any) -> Any:
    """Adds the options that say how work is spread."""
    for option in reversed(EXECUTOR):
        command = option(command)
    return command


@audit.command("run", short_help="Explain all PICTURES, and rank clusters (may be left out).")
@click.argument("pictures", metavar="PICTURES")
@MODEL
@STORE
@META
@METHOD
@WITH
@TARGET
@LAYERS
@with_executor
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the clusters.")
@output.JSON
@with_model_options
@debug_option
def run_command(pictures: str, store: str, model_options: ModelOptions, as_json: bool, **typed: Any) -> None:
    """Explain every picture in the folder PICTURES, a folder per class, and rank clusters of explanations by suspicion.

    PICTURES may also be a CSV file of texts (a column `text`) or of rows. Clusters are written to clusters.json in the store.
    Work that was interrupted goes on where it stopped when the same line is typed again.
    """
    progress = ProgressBar(2, "items")
    with progress("starting"):
        question = Question(pictures, model_options, typed["method"], tuple(typed["settings"]), typed["target"], typed["layers"],
                            typed["meta"], typed["threads"], typed["seed"])  # fmt: skip
        model = model_options.load()
    with progress(f"explaining {pictures}"):
        how = {name: typed[name] for name in ("executor", "workers", "ray", "timeout")}
        found = question.run(model, store, **how | ({"executor": "ray"} if typed["ray"] else {}))
    print_audit(found, as_json=as_json)
    outcome = found.outcome
    exit_if_incomplete(called_off=bool(outcome and outcome.stopped), failed=bool(outcome and outcome.broken))


@dataclass(frozen=True)
class Question:
    """What was asked of an audit, as plain data: a store keeps it, so that later commands need not repeat it."""

    pictures: str
    model: ModelOptions
    method: str = "lrp"
    settings: tuple[str, ...] = ()
    target: str = "auto"
    layers: str | None = None
    meta: str | None = None
    threads: int = 1
    seed: int = 0

    @property
    def origin(self) -> dict[str, Any]:
        """What the store keeps."""
        model = {name: value for name, value in asdict(self.model).items() if value not in (None, False)}
        return {"folder": os.getcwd(), "typed": asdict(self) | {"model": model}}

    @staticmethod
    def of(store: Path, *, trust: bool) -> Question:
        """What was asked when a store was made; files are looked up from here, and from where it was typed.

        Raises:
            OutputError: the model was trusted then, and is not now.
        """
        from pellucid.job.store import Store

        run = Store(store).run
        typed, folder = dict(run["origin"].get("typed") or {}), Path(run["origin"].get("folder", "."))
        if not typed:
            do = "Open it in Python: pl.audit(model, data, store)."
            raise OutputError(f"the store {store}", "a run that was started from Python", "nothing was typed to repeat", do)
        chosen = {name: located(value, folder) if name in FILES else value for name, value in typed["model"].items()}
        model = options(ModelOptions, chosen)
        if model.trust and not trust:
            do = "Add --trust if the store and that file are yours."
            raise OutputError(f"the store {store}", f"a model that runs code: {model.model}", "a store could name any", do)
        paths = {name: typed[name] and located(typed[name], folder) for name in ("pictures", "meta")}
        return Question(**typed | paths | {"model": model, "settings": tuple(typed["settings"])})

    def job(self, model: Model) -> Any:
        """The job that was asked for."""
        from pellucid.job.explaining import explaining

        return explaining(model, self.items(model), **self._about(), source=self.model.load)

    def run(self, model: Model, store: str, **how: Any) -> Audit:
        """Run it, or what is left of it."""
        from pellucid.job.audit.audit import audit as verb

        about = self._about() | {"origin": self.origin, "announce": announce, "source": self.model.load}
        return verb(model, self.items(model), store, **about, **how)

    def open(self, store: Path) -> Audit:
        """The finished audit in a store."""
        from pellucid.job.audit.audit import Audit
        from pellucid.job.store import Store

        model = self.model.load()
        return Audit(Store(store), model, self.items(model))

    def items(self, model: Model) -> Items:
        """The inputs, which the model takes.

        Raises:
            ModelError: it fails on the first of them.
        """
        from pellucid.job import items

        return checked_items(model, items.of(Path(self.pictures), self.meta))

    def _about(self) -> dict[str, Any]:
        layers = None if self.layers is None else [name.strip() for name in self.layers.split(",") if name.strip()]
        method = configured([self.method], self.settings)[self.method]
        return {"method": method, "target": self.target, "layers": layers, "threads": self.threads, "seed": self.seed}


def checked_items(model: Model, items: Items) -> Items:
    """The items, after the model was tried on the first that can be read; an error of the model itself is reported as such."""
    from torch import Tensor

    from pellucid.job.explaining import first_readable

    x = first_readable(model, items)
    if isinstance(x, Tensor):
        check_computes(model, x)
    return items


def located(path: str, folder: Path) -> str:
    """A file by its name from here, or else from the folder in which it was typed."""
    return str(folder / path) if not Path(path).exists() and (folder / path).exists() else path


def announce(text: str) -> None:
    click.echo(text, err=True)


CLUSTER = click.option("--cluster", type=click.IntRange(0), required=True, metavar="N", help="Its id in clusters.json.")
TRUST = click.option("--trust", is_flag=True, help="Open a model file that can run code, as when the store was made.")


@audit.command(short_help="Test a cluster: remove its mark, and paste it.")
@click.argument("store", type=click.Path(exists=True, file_okay=False), metavar="STORE")
@CLUSTER
@TRUST
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the controls and intervals.")
@output.JSON
@debug_option
def confirm(store: str, cluster: int, trust: bool, seed: int, as_json: bool) -> None:
    """Take the mark of a cluster away from its pictures, and paste it on pictures of other classes, beside controls of its size.

    What comes out is "confirmed by intervention" or "only a pattern", with effects and 95 % intervals; clusters.json keeps it.
    """
    allocator.configure()
    with ProgressBar()("testing"):
        found = Question.of(Path(store), trust=trust).open(Path(store))
        verdict = found.confirm(cluster, seed=seed)
    if as_json:
        return output.print_json({"cluster": cluster} | verdict.document())
    output.print_text(f"Cluster {cluster}: {verdict.sentence()}")


@audit.command(short_help="Draw what the channels of a cluster look for.")
@click.argument("store", type=click.Path(exists=True, file_okay=False), metavar="STORE")
@CLUSTER
@TRUST
@click.option("--recipe", default="auto", show_default=True, metavar="NAME", help="How they are drawn, see `pellucid recipes`.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Steps of the ascent, as the recipe has them unless given.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the portraits.")
@debug_option
def portray(store: str, cluster: int, trust: bool, recipe: str, steps: int | None, seed: int) -> None:
    """Draw what excites each of the channels that a cluster uses more than the rest of its class.

    The page and the report then show the portraits beside the channels; clusters.json keeps them.
    """
    allocator.configure()
    with ProgressBar(1, "portraits")("drawing"):
        found = Question.of(Path(store), trust=trust).open(Path(store))
        drawn = found.portray(cluster, recipe=recipe, steps=steps, seed=seed)
    names = ", ".join(f"{unit['layer']}:{unit['channel']}" for unit in drawn)
    output.print_text(f"Cluster {cluster}: drawn {names}.")


@audit.command(short_help="Try a remedy for a cluster, and measure it.")
@click.argument("store", type=click.Path(exists=True, file_okay=False), metavar="STORE")
@CLUSTER
@TRUST
@output.JSON
@debug_option
def mend(store: str, cluster: int, trust: bool, as_json: bool) -> None:
    """Take the direction that a mark adds to the channels of a layer out of them, and count predictions with and without it.

    The model itself is not changed.
    """
    allocator.configure()
    with ProgressBar()("measuring"):
        remedy = Question.of(Path(store), trust=trust).open(Path(store)).mend(cluster)
    if as_json:
        return output.print_json({"cluster": cluster} | remedy.document())
    output.print_text(f"Cluster {cluster}: {remedy.sentence()}.")


def print_audit(found: Audit, *, as_json: bool) -> None:
    """The clusters, the most suspicious first; what could not be computed, on stderr."""
    outcome = found.outcome
    assert outcome is not None
    done = outcome.found + outcome.computed
    if outcome.broken:
        announce(f"{len(outcome.broken)} items have no result: `pellucid runs failures {found.store.path}` lists them.")
    if not outcome.complete:
        announce(f"{done} of {outcome.total} shards are done; type the same line again to go on.")
        return
    clusters = found.clusters
    if as_json:
        return output.print_json({"store": str(found.store.path), "items": len(found.items), "clusters": clusters})
    output.print_table(
        ("id", "class", "space", "size", "suspicion", "evidence in one window", "at the border", "goes with"),
        [cells(one) for one in clusters[:SHOWN]],
    )  # fmt: skip
    if len(clusters) > SHOWN:
        output.echo(f"and {len(clusters) - SHOWN} more in {found.store.path / 'clusters.json'}")
    output.echo()
    output.print_text(
        f"A cluster is a pattern until it is tested: pellucid audit confirm {found.store.path} --cluster 0"
        if clusters else "No clusters were found; a class needs eight inputs at least, and few are of one kind."
    )  # fmt: skip


def cells(one: Mapping[str, Any]) -> Sequence[str]:
    surest = one["enrichment"][0] if one["enrichment"] else None
    goes = f"{surest['column']}={surest['value']} ({surest['share']:.0%}, q {surest['q']:.1g})" if surest else ""
    figures = (f"{one['suspicion']:.2f}", f"{one['compactness']:+.0%}", f"{one['border']:+.0%}")
    return (str(one["id"]), one["class"], one["space"], str(one["size"]), *figures, goes)
