"""Facts: what the page has to know of the model, worked out once in the computing process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.catalogue.entry import Entry
from pellucid.catalogue.methods import methods
from pellucid.catalogue.settings import settings
from pellucid.errors import PellucidError
from pellucid.model import Columns, Model, Preprocess, Signal, Text
from pellucid.render.document import document
from pellucid.verbs.inspect import Card, inspect

KINDS: tuple[tuple[type, str], ...] = ((Preprocess, "picture"), (Text, "text"), (Columns, "table"), (Signal, "sound"))


def facts(model: Model) -> dict[str, Any]:
    """What is known of the model as soon as it is loaded."""
    return {
        "name": model.name,
        "source": model.source,
        "fingerprint": model.fingerprint,
        "reads": reads(model),
        "labels": list(model.labels or ()),
        "notes": list(model.notes),
        "columns": columns(model),
    }


def reads(model: Model) -> str:
    """The kind of inputs that the model reads."""
    return next((kind for how, kind in KINDS if isinstance(model.preprocess, how)), "nothing")


def card(model: Model) -> dict[str, Any]:
    """What one pass through the network tells: its card, its layers, and which methods work on it."""
    found, reason = _card(model)
    verdicts = {} if found is None else {one.name: one for one in found.methods}
    return {
        "card": None if found is None else document(found),
        "reason": reason,
        "methods": [_method(one, verdicts.get(one.name)) for one in methods()],
        "layers": [] if found is None else [vars(layer) for layer in found.layers],
    }


def _card(model: Model) -> tuple[Card | None, str]:
    try:
        return inspect(model), ""
    except PellucidError as error:
        return None, str(error)


def _method(one: Entry, verdict: Any) -> dict[str, Any]:
    """A method: what it claims, whether it works here, and what can be set."""
    fields = ("name", "family", "signed", "summary", "paper", "year", "doi", "repeats", "adds")
    known = settings(one).values()
    return {field: getattr(one, field) for field in fields} | {
        "works": verdict is None or verdict.works,
        "reason": "" if verdict is None else verdict.reason,
        "settings": [{"name": s.name, "default": str(s.default), "is": s.expected, "meaning": s.meaning} for s in known],
    }


def columns(model: Model) -> list[dict[str, Any]] | None:
    """The columns of the tables that the model reads."""
    if not isinstance(model.preprocess, Columns):
        return None
    return [{"name": one.name, "unit": one.unit, "values": list(one.values or ())} for one in model.preprocess.columns]


def report(question: Mapping[str, Any]) -> bytes:
    """The one-file report of a document."""
    from pellucid.render.report import html

    return html(question["document"]).encode()
