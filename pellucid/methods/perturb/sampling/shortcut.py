"""The incremental way to query a model about single regions: a plan computes only what each region reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.model.where import Where
from ..imputers.windows import cut, patched
from ..incremental import Plan, accelerate, windows_around
from ..regions.regions import Partition, Regions, Windows, spatial_shape
from .design import OneOut
from .study import Study

# The share of multiply-adds that a plan has to save. The two ways are not timed against each other: their answers differ by
# rounding, and the same call gets the same bits. Networks where a plan saves so much were 1.5 to 7 times as fast with it.
WORTH = 0.25


@dataclass(frozen=True, eq=False)
class Shortcut:
    """A plan, and where each region lies.

    Arguments:
        plan: What computes answers in place of the whole network.
        corners: Of a window around every region, all of one size, with shape (n, axes).
        reason: Why this way, in a sentence.
    """

    study: Study
    plan: Plan
    corners: Tensor
    reason: str

    batch_factor: ClassVar[int] = 4  # times as many as whole pictures: windows are smaller

    def values(self, variants: tuple[Tensor, Tensor], rows: Sequence[int]) -> dict[str | Where | None, Tensor]:
        return self.plan.values(*variants)

    def variants(self, index: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The new content of the windows, and their corners."""
        study = self.study
        which = torch.tensor(list(index), device=self.corners.device).repeat_interleave(study.draws)
        corners, size = self.corners[which], self.plan.windows.size
        content = patched(study.fill, study.value, corners, size, study.draw_numbers(index))
        gone = inside_region(study.regions, which, corners, size)
        if gone is not None:
            content = torch.where(gone, content, cut(study.value, corners, size))
        return content, corners


def shortcut(study: Study, rows: Sequence[int]) -> Shortcut | None:
    """The shortcut for some rows, where there is one that is exact and faster."""
    boxes = _boxes(study) if study.accelerate else None
    if boxes is None:
        return None
    size, corners = windows_around(boxes, spatial_shape(study.value))
    choice = accelerate(study.readout, study.row, size, corners[list(rows)], copies=study.draws, measure=False, least=WORTH)
    return None if choice.plan is None else Shortcut(study, choice.plan, corners, choice.reason)


def _boxes(study: Study) -> Tensor | None:
    """From where to where each region goes along every axis of places, with shape (n, axes, 2); None where that is not known."""
    regions, value = study.regions, study.value
    if not isinstance(study.design, OneOut) or value.dim() < 3:
        return None
    if isinstance(regions, Windows):
        return regions.boxes.transpose(1, 2)
    if isinstance(regions, Partition) and regions.shape[0] == 1:
        return _extents(regions.labels[0], regions.n)
    return None


def _extents(labels: Tensor, n: int) -> Tensor:
    """The extents of labelled regions, by the least and the greatest place of each."""
    ranges = []
    for axis, length in enumerate(labels.shape):
        place = torch.arange(length, device=labels.device).reshape(-1, *[1] * (labels.dim() - axis - 1)).expand(labels.shape)
        known = labels >= 0
        first = torch.full((n,), length, device=labels.device).scatter_reduce(0, labels[known], place[known], "amin")
        last = torch.zeros(n, dtype=torch.long, device=labels.device).scatter_reduce(0, labels[known], place[known] + 1, "amax")
        ranges.append(torch.stack([first, last], 1))
    return torch.stack(ranges, 1)


def inside_region(regions: Regions, which: Tensor, corners: Tensor, size: Sequence[int]) -> Tensor | None:
    """Which places of each window belong to its region, with shape (k, 1, *size); None where all do."""
    if isinstance(regions, Partition):
        labels = cut(regions.labels[None], corners, size)
        return labels == which.reshape(-1, *[1] * (labels.dim() - 1))
    assert isinstance(regions, Windows)
    first, last = (regions.boxes[which][:, end] - corners for end in (0, 1))  # within the window
    if not bool(first.any()) and bool((last == torch.tensor(list(size), device=last.device)).all()):
        return None
    inside = torch.ones(len(which), 1, *size, dtype=torch.bool, device=corners.device)
    for axis, length in enumerate(size):
        place = torch.arange(length, device=corners.device)
        along = (place >= first[:, axis, None]) & (place < last[:, axis, None])
        shape = [len(which), 1, *[1] * len(size)]
        shape[axis + 2] = length
        inside = inside & along.reshape(shape)
    return inside
