"""Climbs of which each picture has a plan of its own, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .result import OptimizationResult, batched
from .task import Task


def per_image(task: Task, climbed: Callable[[int, Task], OptimizationResult]) -> OptimizationResult:
    """What `climbed(row, task of that picture alone)` finds for every picture, as one result; once called off, none is begun."""
    found: list[OptimizationResult] = []
    for row in range(len(task)):
        alone = task.take([row])
        if task.seconds is not None:
            alone = replace(alone, seconds=task.seconds / len(task))
        if found and found[-1].stopped:
            alone = replace(alone, steps=0)
        found.append(climbed(row, alone))
    return batched(found)
