"""What is asked of a recipe, and what a recipe plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model import Model
from pellucid.target import Target
from ..frame import Frame
from ..prior import Diversity
from ..protocols import Canvas, Penalty, Projection, Robustness
from .ascent import Ascent

Prior = Penalty | Projection
Keep = Literal["last", "best", "majority"]


@dataclass(frozen=True, eq=False)
class Plan:
    """How to climb: a canvas, what a picture should rather not be, what its score should survive, and how steps are made.

    Arguments:
        canvas: How pictures are told by numbers.
        ascent: How these are moved.
        steps: How often.
        priors: Penalties, and projections in the order in which they are applied.
        robust: Random changes that the score should survive; None: the picture is looked at as it is.
        keep: Which picture is the answer: the last one, that with the highest score, or the first for which the class or channel
            asked for was the highest of its layer.
        plateau: A picture is done when its score has not risen within so many steps; None: never.
        coarse: What share of the steps is made at half the size; sums over places are then of fewer.
        rescue: Whether units whose gradient is zero are helped: rectifiers that let gradients through, then other starts.
    """

    canvas: Canvas
    ascent: Ascent
    steps: int
    priors: tuple[Prior, ...] = ()
    robust: Robustness | None = None
    keep: Keep = "last"
    plateau: int | None = None
    rescue: bool = True
    coarse: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise MethodError("A climb", f"{self.steps} steps", "nobody can make less than none", "Make some hundred.")

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        return tuple(prior for prior in self.priors if not isinstance(prior, Projection))

    @property
    def projections(self) -> tuple[Projection, ...]:
        """In the order in which they are applied."""
        return tuple(prior for prior in self.priors if isinstance(prior, Projection))

    @property
    def coupled(self) -> bool:
        """Whether pictures of a batch depend on one another, as for diversity; else batches are split at will."""
        return any(isinstance(prior, Diversity) or getattr(prior, "together", False) for prior in self.priors)

    def lines(self) -> list[str]:
        """The settings in readable lines, for provenance."""
        parts = [("canvas", self.canvas), ("ascent", self.ascent), *(("prior", prior) for prior in self.priors)]
        parts += [
            ("robust", self.robust),
            ("steps", self.steps),
            ("keep", self.keep),
            ("plateau", self.plateau),
            ("coarse", self.coarse),
        ]
        return [f"{name}: {value}" for name, value in parts]


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be maximized: by which model, in which frame, from which seeds.

    Arguments:
        targets: Settled, one per picture.
        seeds: One per picture: pictures of one seed get the same draws, alone or in a batch.
        start: Pictures to begin with in place of the recipe's, one per picture, as the frame has them.
        data: The user's own pictures, as given: a folder, a loader, a tensor of inputs; for recipes that learn from them.
        steps: How many instead of what the recipe plans.
        seconds: When to stop, whatever is reached by then.
        changes: Parts of the plan that the user wants otherwise: canvas, ascent, priors, robust, keep, plateau.
        precision: What the network computes in: "float32", or "bfloat16" where that is quicker.
    """

    model: Model
    targets: tuple[Target, ...]
    frame: Frame
    seeds: tuple[int, ...]
    start: Tensor | None = None
    data: Any = None
    steps: int | None = None
    seconds: float | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    precision: Literal["float32", "bfloat16"] = "float32"

    def __len__(self) -> int:
        """How many pictures are asked for."""
        return len(self.targets)

    def take(self, rows: Sequence[int]) -> Task:
        """The same for some of the pictures, any of them as often as wanted."""
        start = None if self.start is None else self.start[list(rows)]
        seeds = tuple(self.seeds[row] for row in rows)
        return replace(self, targets=tuple(self.targets[row] for row in rows), seeds=seeds, start=start)

    def changed(self, plan: Plan) -> Plan:
        """The plan as the user wants it."""
        known = {name: value for name, value in self.changes.items() if value is not None}
        if "priors" in known:
            known["priors"] = tuple(known["priors"])
        plan = replace(plan, **known)
        return plan if self.steps is None else replace(plan, steps=self.steps)

    def real(self, most: int) -> Tensor:
        """The first of the user's pictures, as inputs of the network: shape (n, *shape).

        Raises:
            InputError: there are none, or they are no inputs of this frame.
        """
        from ..pictures import pictures

        return pictures(self.model, self.data).first(most)

    @property
    def autocast(self) -> torch.autocast:
        """What the network computes in."""
        return torch.autocast(self.frame.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def refuse(recipe: str, found: str, why: str, do: str) -> MethodError:
    """A recipe that cannot be followed here."""
    return MethodError(f"recipe {recipe!r}", found, why, do)
