"""Climbs of which each picture has a plan of its own, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .climb import Climbed
from .task import Task


def apart(task: Task, climbed: Callable[[int, Task], Climbed]) -> Climbed:
    """What `climbed(row, task of that picture alone)` finds for every picture, as one result; once called off, none is begun."""
    found: list[Climbed] = []
    for row in range(len(task)):
        alone = task.take([row])
        if task.seconds is not None:
            alone = replace(alone, seconds=task.seconds / len(task))
        if found and found[-1].stopped:
            alone = replace(alone, steps=0)
        found.append(climbed(row, alone))
    return joined(found)


def joined(found: Sequence[Climbed]) -> Climbed:
    """Results of single climbs, in order."""
    longest = max(len(one.trace) for one in found)
    trace = [
        torch.cat([one.trace, one.trace.new_full((longest - len(one.trace), one.trace.shape[1]), torch.nan)]) for one in found
    ]

    def rows(name: str) -> Tensor:
        return torch.cat([getattr(one, name) for one in found])

    return Climbed(
        tuple(torch.cat(parts) for parts in zip(*(one.numbers for one in found), strict=True)),
        rows("pictures"), rows("best"), rows("majority"), rows("led"), torch.cat(trace, 1), rows("fired"),
        tuple(dict.fromkeys(note for one in found for note in one.notes)), max(one.steps for one in found),
        sum(one.seconds for one in found),
    )  # fmt: skip
