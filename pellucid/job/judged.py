"""What people look at of an evaluation: its table, the scores of every item, pictures, and removal curves of a few items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.catalogue.methods import entry, methods
from pellucid.catalogue.metrics import metric as metric_named
from pellucid.core.files import finite, parse_json
from pellucid.core.progress import report_progress
from pellucid.explanation.method import Method
from pellucid.metrics.metric import Answer, Question, question as as_question
from pellucid.metrics.removal.curve import Curve, curves
from pellucid.metrics.removal.layout import for_sample
from pellucid.metrics.removal.reduction import Reduction
from pellucid.metrics.report.interval import interval
from pellucid.model import Model
from pellucid.render.document import document
from pellucid.render.document.encoding import deflated
from pellucid.target import as_target
from pellucid.verbs.addresses import with_layers, with_paths
from pellucid.verbs.explain import explain
from pellucid.verbs.inputs import read_inputs
from .audit import pictures
from .audit.document import BUDGET, deflated_text
from .disk import write_durably
from .evaluating import table
from .explaining import read_item
from .items import Items
from .store import Store

CURVES = "curves.json"
SAMPLE = 12  # items whose removal curves are drawn: the first, which are a fair sample since the order was drawn
POINTS = 25  # of a curve
WORST = 200  # items of each method and metric whose pictures come first


@dataclass(frozen=True, eq=False)
class Judged:
    """An evaluation, looked at.

    Arguments:
        items: The inputs, in the order of the run.
        how: What reads pictures for the model; None: they are shown whole.
    """

    store: Store
    items: Items
    how: Any = None

    @cached_property
    def rows(self) -> dict[str, Tensor]:
        return self.store.rows(*self.store.columns)

    @cached_property
    def known_items(self) -> frozenset[int]:
        return frozenset(self.rows["item"].tolist())

    def summary(self) -> dict[str, Any]:
        """The evaluation as a document, with the score of every item."""
        made = document(table(self.store))
        path = self.store.path / "analysis" / CURVES
        scores = {
            name: deflated(values.float().numpy().astype("<f4").view(np.uint8))
            for name, values in self.rows.items()
            if name.count("|") == 1 and not name.endswith("|forwards")
        }
        judged = {
            "count": len(self.rows["item"]), "kept": self.items.kind, "scores": scores,
            "order": deflated(self.rows["item"].numpy().astype("<u4").view(np.uint8)),
        }  # fmt: skip
        kept = parse_json(path.read_bytes()) if path.is_file() else []
        few = min(SAMPLE, len(self.rows["item"]))
        told = [
            f"Removal curves: up, what is left of the score; across, the share removed; means of {few} items, 95 % intervals."
        ]
        notes = [*made["notes"], *(told if kept else [])]
        command = {"cli": f"pellucid report {self.store.path} -o report.html", "python": ""}
        return made | {"judged": judged, "curves": kept, "command": command, "notes": notes}

    def known(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [self.item(number) for number in numbers if number in self.known_items]

    def item(self, number: int) -> dict[str, Any]:
        """What there is to see of an item."""
        image = pictures.picture(self.items, number, self.how)
        return {
            "item": number, "key": self.items.keys[number], "label": self.items.labels[number],
            "meta": dict(self.items.meta[number]) if self.items.meta else {}, "map": None,
            "src": None if image is None else pictures.address(pictures.small(image)),
            "text": pictures.excerpt(self.items, number),
        }  # fmt: skip

    def document(self) -> dict[str, Any]:
        """All of it in one piece, for a report: pictures of the worst items of every method and metric first."""
        made = self.summary()
        names = deflated_text("\n".join(key.replace("\n", " ") for key in self.items.keys))
        return made | {"judged": made["judged"] | {"keys": names, "shown": self.shown()}}

    def shown(self) -> list[dict[str, Any]]:
        made, spent = [], 0
        order = self.rows["item"].tolist()
        wanted = dict.fromkeys(order[row] for values in self.by_worst() for row in values) | dict.fromkeys(order)
        for done, number in enumerate(wanted):
            one = {name: value for name, value in self.item(number).items() if value or name == "item"}
            one.pop("key")
            spent += len(json.dumps(one))
            if spent > BUDGET or report_progress(done + 1, len(wanted), "pictures"):
                break
            made.append(one)
        return made

    def by_worst(self) -> Iterable[list[int]]:
        """Rows of each metric and method, the worst first."""
        spec = self.store.run["spec"]
        for metric in spec["metrics"]:
            for method in spec["methods"]:
                values = self.rows[f"{method}|{metric}"]
                order = values.nan_to_num(torch.inf).argsort(descending=not metric_named(metric).higher)
                yield order[:WORST].tolist()


def draw_curves(store: Store, items: Items, model: Model) -> list[dict[str, Any]]:
    """Removal curves of a few items, a line for each method and metric; the store keeps them.

    Only metrics that remove something have any.
    """
    spec = store.run["spec"]
    metrics = {name: metric_named(name) for name in spec["metrics"]}
    judges = {name: one for name, one in metrics.items() if isinstance(one, Reduction)}
    found: dict[tuple[str, str], list[Curve]] = {}
    numbers = store.rows("item")["item"][:SAMPLE].tolist()
    for done, number in enumerate(numbers):
        report_progress(done, len(numbers), "items")
        x, target = read_item(model, items, number), target_of(model, spec["target"], items.labels[number])
        for key, curve in of_item(model, x, target, methods_of(store), judges, spec["seed"]):
            found.setdefault(key, []).append(curve)
    made = [drawn(method, name, judges[name], ones) for (method, name), ones in found.items()]
    kept: list[dict[str, Any]] = finite(made)
    write_durably(store.path / "analysis" / CURVES, kept)
    return kept


def kept_curves(store: Store, items: Items, model: Model) -> list[dict[str, Any]]:
    """The removal curves that the store keeps, drawn where it keeps none."""
    path = store.path / "analysis" / CURVES
    return list(parse_json(path.read_bytes())) if path.is_file() else draw_curves(store, items, model)


def of_item(
    model: Model, x: Any, target: int | None, chosen: Mapping[str, Method], judges: Mapping[str, Reduction], seed: int
) -> Iterable[tuple[tuple[str, str], Curve]]:
    """The curves of one item, which is a batch of one."""
    batch = read_inputs(model, x)
    asked = with_paths(model, as_target(target))
    question: Question | None = None
    for called, method in chosen.items():
        e = explain(model, x, target, with_layers(model, method))
        question = question or as_question(batch.model, batch.x, asked, seed=seed, floor=False, ceiling=False)
        answer = Answer(e.values, e.signed, e.shared)
        for name, judge in judges.items():
            one = curves(question, answer, fitted(judge, batch.model, batch.x).scheme, least=judge.ends == "least")[0]
            if one is not None:
                yield (called, name), one


def methods_of(store: Store) -> dict[str, Method]:
    """The methods of a run, by name; those with settings of their own are left out, since only what they print is kept."""
    known, kept = {one.name for one in methods()}, store.run["spec"]["methods"]
    made = {name: entry(name).make() for name in kept if name in known}
    return {name: method for name, method in made.items() if repr(method) == kept[name]}


def target_of(model: Model, rule: str, label: str | None) -> int | None:
    """The class that a run explains of an item, by its rule in words; None: the one predicted."""
    if rule.startswith("class "):
        return int(rule.removeprefix("class "))
    return model.find(label) if rule == "label" and label is not None else None


def fitted(judge: Reduction, model: Model, x: Tensor) -> Reduction:
    """The metric with the parts that suit the sample: windows, tokens, columns."""
    made = for_sample(judge, model, x)
    assert isinstance(made, Reduction), "only its scheme changes"
    return made


def drawn(method: str, metric: str, judge: Reduction, ones: list[Curve]) -> dict[str, Any]:
    """The mean of curves with its interval, by the share that is removed; between its points a curve is a straight line."""
    x = np.linspace(0, min(float(one.removed[-1]) for one in ones), POINTS)  # items have parts of their own
    values = torch.tensor(
        np.stack([np.interp(x, one.removed.cpu().numpy(), one.read(judge.reading).cpu().numpy()) for one in ones])
    )
    ends = [interval(column) for column in values.unbind(1)]
    return {
        "method": method, "metric": metric, "x": x.tolist(), "y": values.mean(0).tolist(),
        "low": [low for low, _ in ends], "high": [high for _, high in ends],
    }  # fmt: skip
