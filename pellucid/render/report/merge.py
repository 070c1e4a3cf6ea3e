"""Cases about the same input become one case, with a layer for each answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from pellucid.explanation.comparison import ComparedMap, agreement
from ..document.case import common
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
    first = pages[0]
    return dict(first) | {
        "title": title(layers),
        "sentence": layers[0]["sentence"],
        "notes": common([layer["notes"] for layer in layers]),
        "warnings": common([layer["warnings"] for layer in layers]),
        "layers": layers,
        "classes": next((page["classes"] for page in pages if page["classes"]), []),
        "agreement": pairs(layers),
        "failures": [one for page in pages for one in page.get("failures", ())],
        "figures": [one for page in pages for one in page["figures"]],
    }


def distinct(layers: Sequence[Data]) -> list[Document]:
    """Every layer once, numbered."""
    known = {(layer["method"], layer["target"], layer["at"]): layer for layer in reversed(layers)}
    kept = [layer for layer in layers if known[layer["method"], layer["target"], layer["at"]] is layer]
    return [dict(layer) | {"id": f"l{number}"} for number, layer in enumerate(kept, 1)]


def title(layers: Sequence[Data]) -> str:
    """What is explained: target and value; of several targets, the first, and how many more."""
    names = list(dict.fromkeys(layer["equation"] for layer in layers))
    more = len(names) - 1
    return f"{names[0]}, and {more} other target{'s' if more > 1 else ''}" if more else str(names[0])


def pairs(layers: Sequence[Data]) -> list[Document]:
    """How far layers about the same target agree, pair by pair."""
    maps = {layer["id"]: (layer["target"], compared(layer)) for layer in layers if not layer["rows"]}
    found = []
    for one, other in combinations(maps, 2):
        if maps[one][0] == maps[other][0]:
            correlation, overlap = agreement(maps[one][1], maps[other][1])
            found.append({"first": one, "second": other, "correlation": correlation, "overlap": overlap})
    return found


def compared(layer: Data) -> ComparedMap:
    """What of a layer is compared."""
    places = heat(layer)
    masks = [mask(one, places.shape) for one in layer["regions"] if one["sign"] == "for"]
    inside = np.any(masks, axis=0) if masks else np.zeros(places.shape, dtype=bool)
    return ComparedMap(places, layer["signed"], inside, not (layer["nothing"] or layer["doubt"]))
