"""The work of an evaluation: every method judged by every metric, a few items at a time, so that it can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.catalogue.metrics import metric as metric_named
from pellucid.core.progress import Watcher
from pellucid.explanation.method import Method
from pellucid.metrics.metric import Scores
from pellucid.metrics.report.interval import interval
from pellucid.metrics.report.table import Cost, Table
from pellucid.model import Model, load
from pellucid.model.provenance import fingerprint
from pellucid.model.readers.reader import describe
from pellucid.verbs.evaluate import evaluate
from . import items as sources
from .explaining import first_readable, read_item, target_rule
from .items import Items
from .job import Job
from .store import Store
from .worker import Rows

SHARD, BATCH = 32, 16  # items: judging one takes many forward passes


@dataclass(frozen=True, eq=False)
class Judging:
    """What judges methods; it can be sent to another process, and loads the model there.

    Arguments:
        source: The model, or a function without arguments that loads it.
        targets: The class that is explained, for each item; None: the one predicted for it.
    """

    source: Model | Callable[[], Model]
    items: Items
    methods: Mapping[str, Method]
    metrics: tuple[str, ...]
    targets: tuple[int, ...] | None
    seed: int

    def __call__(self) -> Judge:
        return Judge(self, self.source if isinstance(self.source, Model) else self.source())


@dataclass(eq=False)
class Judge:
    """The work with its model."""

    work: Judging
    model: Model
    batch: int = field(init=False, default=BATCH)

    def read(self, number: int) -> Any:
        """The input of an item."""
        return read_item(self.model, self.work.items, number)

    def rows(self, numbers: Sequence[int], inputs: Sequence[Any]) -> Rows:
        """Score and chance level of some items, by method and metric; and what explaining them took.

        Raises:
            PellucidError: a method or a metric fails on one of them.
        """
        work = self.work
        targets = None if work.targets is None else [work.targets[number] for number in numbers]
        x = torch.cat(list(inputs)) if isinstance(inputs[0], Tensor) else list(inputs)
        table = evaluate(self.model, x, work.methods, list(work.metrics), targets, seed=work.seed, ceiling=False)
        for error in table.failures.values():
            raise error
        rows: Rows = {}
        for (method, metric), found in table.scores.items():
            rows[f"{method}|{metric}"] = found.values.double()
            rows[f"{method}|{metric}|floor"] = torch.full_like(found.values, torch.nan) if found.floor is None else found.floor
        forwards = {f"{name}|forwards": torch.full((len(numbers),), cost.forwards) for name, cost in table.costs.items()}
        return rows | forwards


def evaluating(
    model: Any, data: Any, methods: Mapping[str, Method], metrics: Sequence[str], *, target: Any = "predicted", seed: int = 0,
    source: Callable[[], Model] | None = None, threads: int = 1,
) -> Job:  # fmt: skip
    """The job of judging methods on every item of some data, in an order that is drawn: any part of it is a fair sample."""
    model = load(model)
    model.ready()
    items = shuffled(sources.of(data), seed)
    first_readable(model, items)
    rule, targets = target_rule(model, items, target)
    how = None if model.preprocess is None else describe(model.preprocess)[1]
    spec = {
        "task": "evaluate", "model": {"name": model.name, "fingerprint": fingerprint(model), "preprocess": how},
        "data": items.described(), "methods": {name: repr(method) for name, method in methods.items()},
        "metrics": list(metrics), "target": rule, "batch": BATCH, "device": model.device.type, "seed": seed,
    }  # fmt: skip
    work = Judging(source or model, items, dict(methods), tuple(metrics), targets, seed)
    return Job(spec, items, work, SHARD, threads)


def shuffled(items: Items, seed: int) -> Items:
    """The same items in an order that a seed decides."""
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed)).tolist()

    def turned(row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(row[place] for place in order) if row else ()

    values = items.values
    values = values[order] if isinstance(values, Tensor) else None if values is None else turned(values)
    keys, labels = turned(items.keys), turned(items.labels)
    return replace(items, keys=keys, labels=labels, values=values, sizes=turned(items.sizes), meta=turned(items.meta))


def table(store: Store) -> Table:
    """The scores of all items that were judged so far, with intervals over them.

    How long it took is not kept, since results of the same job are equal to the last bit: `seconds` is NaN.
    """
    spec = store.run["spec"]
    rows = store.rows(*store.columns)
    methods, metrics = list(spec["methods"]), {name: metric_named(name) for name in spec["metrics"]}
    scores = {}
    for method in methods:
        for metric in metrics:
            floor = rows[f"{method}|{metric}|floor"]
            known = None if bool(floor.isnan().all()) else floor
            scores[method, metric] = Scores(rows[f"{method}|{metric}"], floor=known)
    costs = {name: Cost(float(rows[f"{name}|forwards"].double().mean()), torch.nan) for name in methods}
    about = f"{spec['model']['name']}, {len(rows['item'])} of {spec['data']['count']} items, target {spec['target']}"
    return Table(metrics, costs, scores, {}, about, 0, torch.nan, spec["seed"])


def narrow_enough(path: Path, until: float) -> Watcher:
    """Calls a run off when every interval is narrow enough.

    Arguments:
        until: Half of the widest interval that will do.
    """
    return lambda done, total, what: what == "items" and widest(Store(path)) <= until


def widest(store: Store) -> float:
    """Half of the widest interval, over all methods and metrics."""
    widths = [0.0]
    for name in store.columns:
        if name.count("|") == 1 and not name.endswith("|forwards"):
            low, high = interval(store.rows(name)[name])
            widths.append(torch.inf if isnan(high) else (high - low) / 2)
    return max(widths)
