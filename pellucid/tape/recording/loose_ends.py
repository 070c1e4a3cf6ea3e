"""Loose ends: what depends on the input and is not followed, as whole numbers made of real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import tensors
from .. import kinds
from ..op import Value
from .storage import storage_of

CONTENT = kinds.CONVOLUTIONS | kinds.MATRIX_PRODUCTS | {"embedding", "embedding_bag", "_embedding_bag"}


@dataclass
class LooseEnds:
    """Storages that hold what was computed from the input and is not followed.

    Conditions and places (comparisons, arguments of maxima, orders) are kept apart: as masks and indices they lose nothing, since
    what they choose is followed. They count as lost once a layer makes something of their own of them.

    Arguments:
        lost: Storage -> the operation where the thread was lost.
        chosen: The same for conditions and places.
        numbers: Where real numbers were read by Python or NumPy.
    """

    lost: dict[int, int] = field(default_factory=dict)
    chosen: dict[int, int] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    _alive: list[Tensor] = field(default_factory=list)  # as long as they live, no other tensor has their storage

    def __bool__(self) -> bool:
        return bool(self.lost or self.chosen)

    def cut(
        self, name: str, kind: str, made: Any, outs: Sequence[int | None], op: int, read: Sequence[Value], place: str
    ) -> None:
        """An operation makes something of followed values that is not followed itself."""
        if name in ("_local_scalar_dense", "item"):
            self.numbers.append(place.replace("_local_scalar_dense", "item"))
            return
        for output, followed in zip(tensors(made), outs, strict=False):
            if followed is None:
                ends = self.chosen if _chooses(name, kind, output) else self.lost
                self._mark(ends, output, op)

    def follow(self, name: str, read: Iterable[Tensor], made: Iterable[Tensor], place: str) -> None:
        """An operation on what is not followed: what it makes is no more."""
        storages = [storage_of(t) for t in read]
        lost = next((self.lost[s] for s in storages if s in self.lost), None)
        chosen = next((self.chosen[s] for s in storages if s in self.chosen), None)
        if lost is None and chosen is None:
            return
        name = name.removesuffix("_")
        if name in ("_local_scalar_dense", "item", "tolist", "numpy", "__array__"):
            if lost is not None:
                self.numbers.append(place.replace("_local_scalar_dense", "item"))
        elif name in kinds.CONSTANTS - kinds.NUMBERS:
            if name not in kinds.SHAPED:
                self._mark_all(self.chosen, made, lost if chosen is None else chosen)
        elif lost is not None or name in CONTENT:
            self._mark_all(self.lost, made, chosen if lost is None else lost)
        else:
            self._mark_all(self.chosen, made, chosen)

    def _mark_all(self, ends: dict[int, int], made: Iterable[Tensor], op: int | None) -> None:
        for tensor in made:
            if op is not None:
                self._mark(ends, tensor, op)

    def _mark(self, ends: dict[int, int], tensor: Tensor, op: int) -> None:
        if tensor.numel():
            ends.setdefault(storage_of(tensor), op)
            self._alive.append(tensor)


def _chooses(name: str, kind: str, made: Tensor) -> bool:
    """Whether it is a condition or a place: nothing that says how large the input was."""
    counts = name == "_pack_padded_sequence"  # beside the packed values, how many sequences are that long
    return made.dtype == torch.bool or counts or kind == "max" or (kind == "constant" and name not in kinds.NUMBERS)
