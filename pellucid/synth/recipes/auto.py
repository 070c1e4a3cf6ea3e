"""Auto: the default recipe, which depends on the kind of input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..maximized import Maximized, Maximizer
from ..optimize.task import Task
from .erhan2009 import Erhan2009
from .lucid import Lucid


@dataclass(frozen=True)
class Auto:
    """Pictures, signals and volumes by `lucid`; rows of a table, which have no neighbourhoods, by `erhan2009`."""

    name: ClassVar[str] = "auto"

    def choose(self, task: Task) -> Maximizer:
        """The recipe for this input."""
        return Lucid() if task.frame.spatial and min(task.frame.spatial) > 1 else Erhan2009()

    def maximize(self, task: Task) -> Maximized:
        """The pictures, under the name of the recipe that was chosen."""
        return self.choose(task).maximize(task)
