"""PlannedRecipe: recipes that are one optimisation, and so consist of a plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ..maximized import Maximized, maximized
from ..optimize.coarse_to_fine import coarse_to_fine
from ..optimize.task import Plan, Task


class PlannedRecipe(ABC):
    """A recipe that optimises by one plan."""

    name: ClassVar[str]

    @abstractmethod
    def plan(self, task: Task) -> Plan:
        """How to optimise."""

    def maximize(self, task: Task) -> Maximized:
        """The pictures of the recipe's plan."""
        plan = self.plan(task)
        return maximized(task, self.name, plan, coarse_to_fine(task, plan))
