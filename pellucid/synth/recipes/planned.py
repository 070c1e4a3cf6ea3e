"""What recipes that are one climb have in common: they only say how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch

from ..ascent import Numbers
from ..climb import Climbed, climb
from ..draws import drawn
from ..frame import Frame
from ..maximized import Maximized, maximized
from ..task import Plan, Task


class Planned(ABC):
    """A recipe that is one climb by a plan."""

    name: ClassVar[str]

    @abstractmethod
    def plan(self, task: Task) -> Plan:
        """How to climb."""

    def maximize(self, task: Task) -> Maximized:
        """The pictures."""
        plan = task.changed(self.plan(task))
        climbed = climb(task, plan) if not plan.coarse else climb_from_coarse(task, plan)
        return maximized(task, self.name, plan, climbed)


def climb_from_coarse(task: Task, plan: Plan) -> Climbed:
    """A climb whose first steps, `plan.coarse` of them, are made at half the size, where they cost a quarter.

    A network that takes one size alone, and inputs that cannot be halved, climb at full size throughout.
    """
    small = task.frame.resized(*((side + 1) // 2 for side in task.frame.spatial))
    enlarged = getattr(plan.canvas, "enlarged", None)
    if enlarged is None or task.start is not None or not task.frame.spatial or not takes(task, small):
        return climb(task, plan)
    steps = round(plan.coarse * plan.steps)
    first = climb(replace(task, frame=small, steps=steps), plan)
    with torch.no_grad():
        numbers: Numbers = enlarged(first.numbers, small, task.frame, drawn(task.seeds))
    if first.stopped:
        whole = plan.canvas.draw(numbers, task.frame).detach()
        return replace(first, numbers=numbers, pictures=whole, best=whole, majority=whole)
    second = climb(replace(task, steps=plan.steps - steps), plan, numbers)
    trace = torch.cat([first.trace[:-1], second.trace])
    fired, notes = first.fired | second.fired, tuple(dict.fromkeys(first.notes + second.notes))
    return replace(
        second, trace=trace, fired=fired, notes=notes, steps=first.steps + second.steps, seconds=first.seconds + second.seconds
    )


def takes(task: Task, frame: Frame) -> bool:
    """Whether the network computes on inputs of another size."""
    try:
        task.model(frame.fed(torch.full((1, *frame.shape), 0.5, device=frame.device, dtype=frame.dtype)))
    except Exception:  # whatever it says: it does not
        return False
    return True
