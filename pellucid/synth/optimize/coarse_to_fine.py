"""A climb that begins at half the size: most of the way is made where steps are cheap."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..frame import Frame
from ..random import drawn
from .gradient_ascent import gradient_ascent
from .result import OptimizationResult, one_after_another
from .task import Plan, Task


def coarse_to_fine(task: Task, plan: Plan) -> OptimizationResult:
    """A climb whose first steps, `plan.coarse` of them, are made at half the size, where they cost a quarter.

    The canvas then draws the same pictures larger.

    A network that takes one size alone is climbed at that size throughout, and a note says so; so are climbs from given pictures,
    and canvases and inputs that have no size. The trace is of both parts.
    """
    plan = task.changed(plan)
    task = replace(task, changes={}, steps=None)
    first = round(plan.coarse * plan.steps)
    small = task.frame.resized(*(-(-side // 2) for side in task.frame.spatial))
    enlarged = getattr(plan.canvas, "enlarged", None)
    if not first or enlarged is None or task.start is not None or not task.frame.spatial:
        return gradient_ascent(task, plan)
    if not takes(task, small):
        climbed, note = gradient_ascent(task, plan), f"{task.model.name} takes inputs of one size alone: no start at half of it."
        return replace(climbed, notes=(*climbed.notes, note))
    below = gradient_ascent(replace(task, frame=small), replace(plan, steps=first))
    with torch.no_grad():
        numbers = enlarged(below.numbers, small, task.frame, drawn(task.seeds))
    above = gradient_ascent(task, replace(plan, steps=0 if below.stopped else plan.steps - first), numbers)
    return one_after_another([replace(below, trace=below.trace[:-1]), above])


def takes(task: Task, frame: Frame) -> bool:
    """Whether the network computes on inputs of another size."""
    x = frame.to_inputs(torch.full((1, *frame.shape), 0.5, device=frame.device, dtype=frame.dtype))
    try:
        with torch.no_grad(), torch.random.fork_rng([frame.device] if frame.device.type == "cuda" else []):
            task.model(x)
    except Exception:  # whatever it says: it does not
        return False
    return True
