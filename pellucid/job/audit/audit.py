"""The verb `audit`: does a network cheat on a data set, where and how often, and would it fall without the shortcut?"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.progress import report_progress
from pellucid.errors import InputError
from pellucid.explanation.method import Method
from pellucid.model import Model, load
from pellucid.model.final_activation import probabilities
from pellucid.render.parts.pixels import painted
from pellucid.target import channel
from pellucid.verbs.maximize import maximize
from ..disk import write_durably
from ..explaining import class_outputs, explaining, read_item, unknown_labels
from ..items import Items
from ..run import Executor, Outcome, run
from ..store import Store
from .confirm import MOST, Verdict, Windows, confirm, extent
from .document import document
from .findings import Evidence, documents, find, strongest, window_side, with_metadata
from .mend import Remedy, mend
from .ordinary import ordinary
from .pictures import address, small
from .spectral import import_sklearn
from .view import CLUSTERS, clusters_of


@dataclass(frozen=True, eq=False)
class Audit(Displayed):
    """What an audit found, and what it takes to test it.

    Arguments:
        store: Where the explanations are.
        model: The network.
        items: The inputs.
        outcome: What the run did; None where an audit is opened again.
    """

    kind: ClassVar[str] = "audit"

    store: Store
    model: Model
    items: Items
    outcome: Outcome | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Audit({self.model.name}, {len(self.items):,} inputs, {self.store.path})"

    def document(self) -> dict[str, Any]:
        """The audit as plain data, which reports and the page paint."""
        return document(self.store, self.items, self.model)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.html or .json), whole or not at all; pages take `script=False`."""
        return save(self, path, self.kind, **options)

    @property
    def clusters(self) -> list[dict[str, Any]]:
        """The clusters, the most suspicious first: what stands in clusters.json."""
        return clusters_of(self.store)

    def cluster(self, number: int) -> dict[str, Any]:
        """The cluster of that id.

        Raises:
            InputError: there is none.
        """
        found = next((one for one in self.clusters if one["id"] == number), None)
        if found is None:
            raise InputError(f"cluster {number}", f"{len(self.clusters)} clusters", "there is no such id", "See clusters.json.")
        return found

    def confirm(self, number: int, *, seed: int = 0) -> Verdict:
        """Take the mark of a cluster away, and paste it on other classes; the verdict is kept in clusters.json.

        Raises:
            InputError: there is no such cluster, or the inputs are no pictures.
        """
        one = self.cluster(number)
        target, inside = int(one["target"]), self.numbers(one["members"])
        chosen = spread(inside, MOST)
        x = self.inputs(chosen)
        windows = self.windows(one, [inside.index(item) for item in chosen], x)
        mates, corners = self.mates(target, set(inside))
        mark = one["mark"]
        apart = Windows.of_cells(corners, mark["side"], mark["grid"], extent(x))
        others, rest = self.inputs(self.others(target)), self.inputs(mates) if mates else x[:0]
        verdict = confirm(self.shares, target, x, windows, others, rest, apart, fixed=mark["fixed"], seed=seed)
        self.keep(number, {"verdict": verdict.document()})
        return verdict

    def mend(self, number: int) -> Remedy:
        """Try a remedy for a cluster, and measure it; what it does is kept in clusters.json."""
        one = self.cluster(number)
        target, inside = int(one["target"]), self.numbers(one["members"])
        layers = [name.removeprefix("what.") for name in self.store.columns if name.startswith("what.")]
        layers = [name for name in layers if not name.endswith(".scale")]
        if not layers:
            do = "Audit with --layers."
            raise InputError(f"a remedy for cluster {number}", "no layer with channels", "nothing can be held there", do)
        mates, others = self.mates(target, set(inside))[0], self.others(target)
        x = self.inputs(spread(inside, MOST))
        windows = self.windows(one, [inside.index(item) for item in spread(inside, MOST)], x)
        remedy = mend(
            self.model, layers[0], target, x, windows, self.inputs(mates), self.inputs(others),
            torch.tensor([self.truth(item) for item in others]),
        )  # fmt: skip
        self.keep(number, {"remedy": remedy.document()})
        return remedy

    def portray(self, number: int, *, recipe: str = "auto", steps: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
        """Draw what excites each of the channels that a cluster uses; the portraits stand beside the channels in clusters.json.

        Arguments:
            recipe, steps, seed: As `maximize` takes them.

        Raises:
            MethodError: the inputs of the network are not of a kind that is drawn.
        """
        units = [dict(unit) for unit in self.cluster(number)["units"]]
        shape = tuple(self.inputs([0]).shape[1:])
        for done, unit in enumerate(units):
            target = channel(unit["layer"], unit["channel"])
            drawn = maximize(self.model, target, recipe, seed=seed, steps=steps, shape=shape)
            unit["portrait"] = address(small(Image.fromarray(painted(drawn.images[0], bounded=True))))
            if report_progress(done + 1, len(units), "portraits"):
                break
        self.keep(number, {"units": units})
        return units

    def shares(self, x: Tensor) -> Tensor:
        """The probability of every class."""
        parts = [probabilities(class_outputs(self.model, part), self.model.links.get("")) for part in torch.split(x, 64)]
        return torch.cat(parts) if parts else torch.zeros(0, 1)

    def numbers(self, keys: Sequence[str]) -> list[int]:
        return [self._places[key] for key in keys]

    def inputs(self, numbers: Sequence[int]) -> Tensor:
        """Some inputs as one batch of pictures or series.

        Raises:
            InputError: they are neither, or not of one size.
        """
        read = [read_item(self.model, self.items, number) for number in numbers]
        shapes = {tuple(one.shape[1:]) if isinstance(one, Tensor) else () for one in read}
        if len(shapes) > 1 or any(len(shape) not in (2, 3) for shape in shapes):
            found = "texts" if () in shapes else f"shapes {sorted(shapes)}"
            why = "windows of pictures or series of one size are changed"
            raise InputError("a counter-test", found, why, "Audit pictures or series of one size.")
        return torch.cat(read) if read else torch.zeros(0)

    def windows(self, one: Mapping[str, Any], rows: Sequence[int], x: Tensor) -> Windows:
        """Where the mark of a cluster is in some of its members."""
        mark = one["mark"]
        return Windows.of_cells(torch.tensor(mark["corners"])[list(rows)], mark["side"], mark["grid"], extent(x))

    def mates(self, target: int, inside: set[int]) -> tuple[list[int], Tensor]:
        """Items of the same class outside a cluster, and where their evidence is strongest."""
        e = self.evidence
        rows = [row for row, item in enumerate(e.item.tolist()) if int(e.target[row]) == target and item not in inside]
        rows = spread(rows, MOST)
        side = window_side(e.where.shape)
        corners = torch.from_numpy(strongest(e.where[rows], side)) if rows else torch.zeros(0, 2, dtype=torch.long)
        return [int(e.item[row]) for row in rows], corners

    def others(self, target: int) -> list[int]:
        """Items that neither are of a class nor are taken for it."""
        e = self.evidence
        rows = ((e.target != target) & (e.predicted != target)).nonzero().flatten().tolist()
        if not rows:
            do = "Add pictures of other classes."
            raise InputError("a counter-test", "no item of another class", "a mark is pasted on these", do)
        return [int(e.item[row]) for row in spread(rows, MOST)]

    def truth(self, item: int) -> int:
        """The class that an item is labelled with, or else taken for."""
        row = int((self.evidence.item == item).nonzero()[0, 0])
        return int(self.evidence.target[row])

    def keep(self, number: int, entries: Mapping[str, Any]) -> None:
        """Add to an entry of clusters.json."""
        found = [one | dict(entries) if one["id"] == number else one for one in self.clusters]
        write_durably(self.store.path / CLUSTERS, found)

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence.of(self.store)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.items.keys)}

    def analyse(self, *, seed: int = 0) -> list[dict[str, Any]]:
        """Find the clusters of a complete store, and write them."""
        e = self.evidence
        found, entries = with_metadata(find(e, seed=seed), e, self.items.meta)
        clusters = documents(found, entries, e, self.items.keys, self.model.label)
        maps = {f"mean.{place}": e.where[one.rows].mean(0) for place, one in enumerate(found)}
        if maps:
            write_durably(self.store.path / "analysis" / "maps.safetensors", safetensors.torch.save(maps))
        write_durably(self.store.path / "analysis" / "ordinary.json", ordinary(e, self.items.keys, self.model.label, seed=seed))
        write_durably(self.store.path / CLUSTERS, clusters)
        return clusters


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly spaced.

    Example:
        >>> spread([1, 2, 3, 4, 5], 2)
        [1, 3]
    """
    few = min(len(numbers), most)
    return [numbers[place * len(numbers) // few] for place in range(few)]


def audit(
    model: Any, data: Any, store: str | os.PathLike[str], *, method: str | Method = "lrp", target: Any = "auto",
    layers: Sequence[str] | None = None, labels: Sequence[Any] | None = None, meta: Any = None, executor: Executor = "auto",
    workers: int | None = None, ray: str | None = None, timeout: float | None = None, threads: int = 1, seed: int = 0,
    source: Callable[[], Model] | None = None, origin: Mapping[str, Any] | None = None, announce: Any = None,
) -> Audit:  # fmt: skip
    """Explain every item of a data set, and find the strategies of each class that look like shortcuts.

    References: Unmasking Clever Hans predictors (Lapuschkin et al., 2019), https://doi.org/10.1038/s41467-019-08987-4

    Arguments:
        model: A `Model`, or anything `load` takes.
        data: A folder of pictures, texts or series, labelled by their folders; a CSV file; a tensor; a list of texts or rows.
        store: A folder for the results. The same call again goes on where it stopped.
        target: What is explained: "predicted", "label", a class, or "auto", the labels where all are classes of the model.
        layers: Whose channels tell strategies apart; None: the last layer with maps.
        labels: The class of each item, where the data does not say it.
        meta: A CSV file about the items, joined on the names of files.
        executor, workers, ray, timeout: See `pellucid.job.run.run`.
        threads: Of each worker.

    Returns:
        The audit: `a.clusters`, the most suspicious first; `a.confirm(0)` tests one.

    Raises:
        PellucidError: in one of its kinds, when something asked for cannot be done; the message says what to do.
    """
    import_sklearn()
    model = load(model)
    about: dict[str, Any] = {"labels": labels, "meta": meta, "source": source, "threads": threads, "seed": seed}
    job = explaining(model, data, method=method, target=target, layers=layers, **about)
    unknown = unknown_labels(model, job.items) if target == "auto" and announce is not None else []
    if unknown:
        announce(f"no classes of the model: {', '.join(unknown[:5])}; of every item the class is explained that is predicted")
    outcome = run(job, store, executor=executor, workers=workers, ray=ray, timeout=timeout, origin=origin, announce=announce)
    made = Audit(outcome.store, model, job.items, outcome)
    if outcome.complete and (outcome.computed or not (Path(store) / CLUSTERS).exists()):
        made.analyse(seed=seed)
    return made
