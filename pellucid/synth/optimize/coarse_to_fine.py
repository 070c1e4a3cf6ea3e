"""Coarse to fine: an optimisation whose first steps are made at half the size, where they are cheap."""

from __future__ import annotations

from dataclasses import replace

import torch

from pellucid.core.draws import drawing_apart
from ..frame import Frame
from ..random import generators
from .gradient_ascent import gradient_ascent
from .result import OptimizationResult, in_sequence
from .task import Plan, Task


def coarse_to_fine(task: Task, plan: Plan) -> OptimizationResult:
    """Gradient ascent with the share `plan.coarse` of the steps at half the size, where they cost a quarter; then the canvas
    draws the same pictures larger. The trace is of both parts.

    All steps are made at the full size from given pictures, for canvases that cannot be enlarged and inputs without spatial axes,
    and for networks that take one size only, which a note says.
    """
    plan = task.changed(plan)
    task = replace(task, changes={}, steps=None)
    first = round(plan.coarse * plan.steps)
    small = task.frame.resized(*(-(-side // 2) for side in task.frame.spatial))
    enlarged = getattr(plan.canvas, "enlarged", None)
    if not first or enlarged is None or task.start is not None or not task.frame.spatial:
        return gradient_ascent(task, plan)
    if not accepts(task, small):
        result, note = (gradient_ascent(task, plan), f"{task.model.name} takes inputs of one size only: no steps at half of it.")
        return replace(result, notes=(*result.notes, note))
    below = gradient_ascent(replace(task, frame=small), replace(plan, steps=first))
    with torch.no_grad():
        numbers = enlarged(below.numbers, small, task.frame, generators(task.seeds))
    above = gradient_ascent(task, replace(plan, steps=0 if below.stopped else plan.steps - first), numbers)
    return in_sequence([replace(below, trace=below.trace[:-1]), above])


def accepts(task: Task, frame: Frame) -> bool:
    """Whether the network accepts inputs of another size."""
    x = frame.to_inputs(torch.full((1, *frame.shape), 0.5, device=frame.device, dtype=frame.dtype))
    try:
        with torch.no_grad(), drawing_apart(task.model, frame.device):
            task.model(x)
    except Exception:  # whatever it says: it does not
        return False
    return True
