"""A climb that begins at half the size: most of the way is made where steps are cheap."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..frame import Frame
from ..random import drawn
from .climb import climb
from .result import Climbed, in_turn
from .task import Plan, Task


def climb_coarsely(task: Task, plan: Plan) -> Climbed:
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
        return climb(task, plan)
    if not takes(task, small):
        climbed, note = climb(task, plan), f"{task.model.name} takes inputs of one size alone: no start at half of it."
        return replace(climbed, notes=(*climbed.notes, note))
    below = climb(replace(task, frame=small), replace(plan, steps=first))
    with torch.no_grad():
        numbers = enlarged(below.numbers, small, task.frame, drawn(task.seeds))
    above = climb(task, replace(plan, steps=0 if below.stopped else plan.steps - first), numbers)
    return in_turn([replace(below, trace=below.trace[:-1]), above])


def takes(task: Task, frame: Frame) -> bool:
    """Whether the network computes on inputs of another size."""
    x = frame.fed(torch.full((1, *frame.shape), 0.5, device=frame.device, dtype=frame.dtype))
    try:
        with torch.no_grad(), torch.random.fork_rng([frame.device] if frame.device.type == "cuda" else []):
            task.model(x)
    except Exception:  # whatever it says: it does not
        return False
    return True
