"""What the computing process does with a store: tests, cases, removal curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.job.audit.audit import Audit
from pellucid.job.audit.pictures import file_of
from pellucid.job.explaining import read_item
from pellucid.job.items import Items
from pellucid.job.judged import draw_curves, methods_of, target_of
from pellucid.job.reopen import reopened
from pellucid.job.store import Store
from pellucid.model import Model
from pellucid.model.provenance import fingerprint
from pellucid.render.document import document
from pellucid.verbs.compare import compare
from .stores import Opened


@dataclass(frozen=True)
class Bench:
    """A store with its model and inputs, kept while it is asked about."""

    store: Store
    model: Model
    items: Items


_BENCHES: dict[str, Bench] = {}  # one: another model would take its memory again


def bench(served: Model, one: Opened) -> Bench:
    """The store, with the model of its run: the one that is served where that is the same.

    Raises:
        InputError: nobody says which model it was.
    """
    if one.path not in _BENCHES:
        if one.load is None:
            do = "Use Python: pl.audit(model, data, store)."
            found = "a run that was started from Python"
            raise InputError(f"the store {Path(one.path).name}", found, "its model is not known", do)
        store = Store(Path(one.path))
        same = fingerprint(served) == store.run["spec"]["model"]["fingerprint"]
        _BENCHES.clear()
        _BENCHES[one.path] = Bench(store, served if same else one.load(), reopened(store, one.data, one.meta))
    return _BENCHES[one.path]


def counter_test(found: Bench, question: Mapping[str, Any]) -> dict[str, Any]:
    """The counter-test of a cluster; its verdict is kept in the store."""
    return Audit(found.store, found.model, found.items).confirm(question["cluster"]).document()


def case(found: Bench, question: Mapping[str, Any]) -> dict[str, Any]:
    """An item under the methods of the run, as a case."""
    number, spec = question["item"], found.store.run["spec"]
    if number >= len(found.items):
        raise InputError(f"item {number}", f"{len(found.items)} items", "there is no such item", "Choose one that is shown.")
    file = file_of(found.items, number)
    model, x = found.model, str(file) if file and found.items.kind == "pictures" else read_item(found.model, found.items, number)
    target = target_of(model, spec["target"], found.items.labels[number])
    chosen = list(methods_of(found.store)) if spec["task"] == "evaluate" else [spec["method"]["name"]]
    made: dict[str, Any] = document(compare(model, x, chosen, target=target))
    return made | {"name": found.items.keys[number]}


def curves(found: Bench, question: Mapping[str, Any]) -> dict[str, Any]:
    return {"curves": draw_curves(found.store, found.items, found.model)}


STORED = {"tests": counter_test, "cases": case, "curves": curves}
