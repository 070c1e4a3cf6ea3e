"""Storages that several tensors read: which places these are, and what was written there in place."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


@dataclass
class Writes:
    """What was written in place into one storage, in order."""

    version: int = 0
    log: list[tuple[int, Geometry]] = field(default_factory=list)
    flat: int | None = None  # the value that holds the whole storage, up to entry `merged` of the log
    merged: int = 0
    plain: bool = False  # whether nothing of what the storage held before descends from the input


def storage_of(tensor: Tensor) -> int:
    """Which storage a tensor reads."""
    return tensor.untyped_storage().data_ptr()


def geometry(tensor: Tensor) -> Geometry:
    """Which of its places: shape, strides, and the first."""
    return tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset())


def disjoint(a: Geometry, b: Geometry) -> bool:
    """Whether two views of one storage, in steps of the same size, surely share no entry: chunks of a row, rows of a matrix.

    Example:
        >>> disjoint(((2, 3), (9, 1), 0), ((2, 3), (9, 1), 3)), disjoint(((2, 3), (9, 1), 0), ((2, 3), (9, 1), 2))
        (True, False)
    """
    if a[1] != b[1] or 0 in a[1] or list(a[1]) != sorted(a[1], reverse=True):
        return False
    disjoint, left, wider = False, [a[2], b[2]], None
    for n, m, step in zip(a[0], b[0], a[1], strict=True):
        i, j = left[0] // step, left[1] // step
        left = [left[0] % step, left[1] % step]
        if wider is not None and (wider % step or max(i + n, j + m) > wider // step):
            return False
        disjoint, wider = disjoint or i + n <= j or j + m <= i, step
    return disjoint and left[0] == left[1]
