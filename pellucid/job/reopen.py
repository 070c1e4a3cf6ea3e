"""The items of a run with what they hold, where that still lies where it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from pellucid.errors import PellucidError
from . import items as sources
from .items import Items
from .store import Store


def reopened(store: Store, data: str | os.PathLike[str] | None, meta: str | os.PathLike[str] | None = None) -> Items:
    """The items as they were listed when the run was made, in that order, with their folder or values, and their metadata.

    Arguments:
        data: The folder or CSV file they are from; None, or one that is gone: their names alone.
    """
    listed = store.items()
    if data is None or not Path(data).exists():
        return listed
    found = replace(listed, root=Path(data)) if Path(data).is_dir() else in_order(sources.of(data), listed)
    try:
        return found if meta is None else sources.with_meta(found, meta)
    except (PellucidError, OSError):
        return found


def in_order(found: Items, listed: Items) -> Items:
    """Values in the order in which a run listed them; names alone where they are not the same."""
    places = {key: place for place, key in enumerate(found.keys)}
    if found.values is None or any(key not in places for key in listed.keys):
        return listed
    order = [places[key] for key in listed.keys]

    def turned(row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(row[place] for place in order) if row else ()

    values = found.values[order] if isinstance(found.values, Tensor) else turned(found.values)
    return replace(listed, values=values, meta=turned(found.meta))
