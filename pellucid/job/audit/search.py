"""Search: which items of a whole data set use a unit most, or are decided for the same reasons as another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError, WhereError
from ..store import Store


@dataclass(frozen=True)
class Match:
    """An item that was found.

    Arguments:
        value: The relevance of the unit, or the likeness.
        share: Of the absolute relevance of its layer.
    """

    key: str
    value: float
    share: float
    target: int
    probability: float


def by_unit(store: Store, keys: Sequence[str], layer: str, unit: int, *, target: int | None = None, top: int = 24) -> list[Match]:
    """The items whose decision rests most on a channel, by its relevance.

    Raises:
        WhereError: the layer is not in the store, or has no such channel.
    """
    layers = [name.removeprefix("what.") for name in store.columns if name.startswith("what.") and not name.endswith(".scale")]
    if layer not in layers:
        do = f"Name one of {', '.join(layers)}, or audit with --layers {layer}." if layers else f"Audit with --layers {layer}."
        raise WhereError(f"the unit {layer}:{unit}", "no relevance of that layer in the store", "only some layers are kept", do)
    rows = store.rows("item", "target", "probability", f"what.{layer}", f"what.{layer}.scale")
    values = rows[f"what.{layer}"].float()
    if not 0 <= unit < values.shape[1]:
        found = f"{values.shape[1]} channels"
        raise WhereError(f"the unit {layer}:{unit}", found, f"they run 0-{values.shape[1] - 1}", "Ask for one of those.")
    amount = values[:, unit] * rows[f"what.{layer}.scale"]
    share = values[:, unit] / values.abs().sum(1).clamp_min(1e-12)
    return matches(rows, keys, amount, share, target, top)


def by_example(
    store: Store, keys: Sequence[str], key: str, *, box: Sequence[int] | None = None, target: int | None = None, top: int = 24
) -> list[Match]:
    """The items that are explained like another one: by the channels of the first layer, or by the places inside a box.

    Arguments:
        box: Top, left, bottom and right, in cells of the pooled map.

    Raises:
        InputError: no such item has a result, or the box is empty.
    """
    if key not in keys:
        near = [one for one in keys if one.rsplit("/", 1)[-1] == key.rsplit("/", 1)[-1]]
        do = f"Did you mean {near[0]}?" if near else "Name it as clusters.json does, relative to the folder."
        raise InputError(f"the item {key}", "none of that name", "it is looked for among those of the run", do)
    name = next((one for one in store.columns if one.startswith("what.") and not one.endswith(".scale")), None)
    rows = store.rows("item", "target", "probability", name if name and box is None else "where")
    place = (rows["item"] == keys.index(key)).nonzero().flatten()
    if not len(place):
        raise InputError(f"the item {key}", "no result of it", "it could not be computed", "See `pellucid runs failures`.")
    if box is None:
        features = rows[name if name else "where"].float().flatten(1)
    else:
        top_, left, bottom, right = box
        features = rows["where"].float().abs()[:, top_:bottom, left:right].flatten(1)
        if not features.shape[1]:
            raise InputError(f"the box {tuple(box)}", "no cell in it", "top < bottom and left < right, in cells", "Correct it.")
    unit = features / features.norm(dim=1, keepdim=True).clamp_min(1e-12)
    alike = unit @ unit[int(place[0])]
    return matches(rows, keys, alike, alike, target, top)


def matches(
    rows: dict[str, Tensor], keys: Sequence[str], value: Tensor, share: Tensor, target: int | None, top: int
) -> list[Match]:
    chosen = torch.ones(len(value), dtype=torch.bool) if target is None else rows["target"] == target
    order = value.masked_fill(~chosen, -torch.inf).argsort(descending=True, stable=True)[: min(top, int(chosen.sum()))]
    return [
        Match(keys[int(rows["item"][n])], float(value[n]), float(share[n]), int(rows["target"][n]), float(rows["probability"][n]))
        for n in order.tolist()
    ]


def parse_unit(text: str) -> tuple[str, int]:
    """Layer and channel.

    Raises:
        WhereError: it is not written as LAYER:NUMBER.

    Example:
        >>> parse_unit("stages.4:56")
        ('stages.4', 56)
    """
    layer, colon, number = text.rpartition(":")
    if not colon or not layer or not number.isdigit():
        raise WhereError(
            f"the unit {text}", "no LAYER:NUMBER", "a unit is a channel of a layer", "Write --unit stages.4:56, say."
        )
    return layer, int(number)


def document(found: Sequence[Match]) -> list[dict[str, Any]]:
    return [vars(one).copy() for one in found]
