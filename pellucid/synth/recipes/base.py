"""What recipes that are one climb have in common: they only say how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ..maximized import Maximized, maximized
from ..optimize.coarse_to_fine import coarse_to_fine
from ..optimize.task import Plan, Task


class PlannedRecipe(ABC):
    """A recipe that is one climb by a plan."""

    name: ClassVar[str]

    @abstractmethod
    def plan(self, task: Task) -> Plan:
        """How to climb."""

    def maximize(self, task: Task) -> Maximized:
        """The pictures."""
        return self.follow(task, self.plan(task))

    def follow(self, task: Task, plan: Plan) -> Maximized:
        """The pictures of that plan."""
        return maximized(task, self.name, plan, coarse_to_fine(task, plan))
