"""Cases about the same input become one case, with a layer for each answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.explanation.comparison import ComparedMap
from ..document.case import of_layers
from ..document.encoding import quantised
from ..document.size import fitted
from .decode import Data, heat, mask

Document = dict[str, Any]


def merged(pages: Sequence[Data]) -> list[Document]:
    """The pages in order, those about the same input as one."""
    groups: dict[str, list[Data]] = {}
    for number, page in enumerate(pages):
        groups.setdefault(input_of(page) or f"page {number}", []).append(page)
    return [dict(group[0]) if len(group) == 1 else one_case(group) for group in groups.values()]


def input_of(page: Data) -> str:
    """What a case is about: its subject and its model; "" where nothing is known of the input, or it is no case."""
    subject = page.get("subject")
    if page["kind"] != "case" or not isinstance(subject, dict):
        return ""
    if subject["kind"] == "values" or (subject["kind"] == "picture" and not subject["src"]):
        return ""
    model = page["provenance"].get("model")
    return json.dumps([subject, model], sort_keys=True, default=str)


def one_case(pages: Sequence[Data]) -> Document:
    """Cases of one input as one; a method that answered the same question twice stands there once."""
    layers = distinct([layer for page in pages for layer in page["layers"]])
    maps = {layer["id"]: (layer["target"], compared(layer)) for layer in layers if not layer["rows"]}
    own = {
        "classes": next((page["classes"] for page in pages if page["classes"]), []),
        "failures": [one for page in pages for one in page.get("failures", ())],
        "figures": [one for page in pages for one in page["figures"]],
    }
    return dict(pages[0]) | of_layers(fitted(layers, coarser), maps) | own


def coarser(_: int, layer: Any, levels: int) -> Any:
    """A layer with its maps in fewer steps."""
    return in_steps(layer, levels) | {"parts": [in_steps(part, levels) for part in layer["parts"]]}


def in_steps(values: Data, levels: int) -> Document:
    """A map in steps, `levels` of which make the limit of its scale; exact numbers stay as they are."""
    if not values["map"]:
        return dict(values)
    packed, beyond = quantised(heat(values), values["scale"]["limit"], levels)
    return dict(values) | {"map": packed, "beyond": beyond, "levels": levels}


def distinct(layers: Sequence[Data]) -> list[Any]:
    """Every layer once, numbered."""
    known = {(layer["method"], layer["target"], layer["at"]): layer for layer in reversed(layers)}
    kept = [layer for layer in layers if known[layer["method"], layer["target"], layer["at"]] is layer]
    return [dict(layer) | {"id": f"l{number}"} for number, layer in enumerate(kept, 1)]


def compared(layer: Data) -> ComparedMap:
    """What of a layer is compared."""
    places = heat(layer)
    masks = [mask(one, places.shape) for one in layer["regions"] if one["sign"] == "for"]
    inside = np.any(masks, axis=0) if masks else np.zeros(places.shape, dtype=bool)
    return ComparedMap(places, layer["signed"], inside, not (layer["nothing"] or layer["doubt"]))
