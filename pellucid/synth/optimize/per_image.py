"""Optimisations of which each picture has a plan of its own, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .result import OptimizationResult, batched
from .task import Task


def per_image(task: Task, optimize: Callable[[int, Task], OptimizationResult]) -> OptimizationResult:
    """The results of `optimize(row, task of that picture alone)` for every picture, as one; once called off, none is begun."""
    results: list[OptimizationResult] = []
    for row in range(len(task)):
        alone = task.take([row])
        if task.seconds is not None:
            alone = replace(alone, seconds=task.seconds / len(task))
        if results and results[-1].stopped:
            alone = replace(alone, steps=0)
        results.append(optimize(row, alone))
    return batched(results)
