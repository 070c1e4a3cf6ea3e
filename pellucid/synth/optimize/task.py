"""Task: model, targets and settings of a maximization. Plan: canvas, priors and step rule that a recipe chose."""

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
from ..pictures import pictures
from ..prior import Diversity
from ..protocols import Canvas, Penalty, Projection, Robustness
from .step_rules import Ascent

Prior = Penalty | Projection
Keep = Literal["last", "best", "majority"]


@dataclass(frozen=True, eq=False)
class Plan:
    """How to optimise: a canvas, priors, robustness and an ascent.

    Arguments:
        canvas: How pictures are parameterised by numbers.
        ascent: How these numbers are moved along their gradients.
        steps: How often.
        priors: Penalties, and projections in the order in which they are applied.
        robust: Random transformations under which the score should stay high; None: the picture itself is scored.
        keep: Which picture is the result: the "last" one, the "best" by score, or with "majority" the first for which the
            target's class or channel was the highest of its layer.
        plateau: A picture is done when its score has not risen within so many steps; None: never.
        coarse: The share of the steps, in [0, 1], that are made at half the size; sums over places are then of fewer.
        rescue: Whether pictures whose gradient is zero are rescued: rectifiers that let gradients through, then other starts.

    Raises:
        MethodError: the number of steps is negative.
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
            raise MethodError("A plan", f"{self.steps} steps", "a number of steps is 0 or more", "Make some hundred.")

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        return tuple(prior for prior in self.priors if not isinstance(prior, Projection))

    @property
    def projections(self) -> tuple[Projection, ...]:
        return tuple(prior for prior in self.priors if isinstance(prior, Projection))

    @property
    def coupled(self) -> bool:
        """Whether pictures of a batch depend on one another, as with `Diversity`; else a batch may be split."""
        return any(isinstance(prior, Diversity) or getattr(prior, "together", False) for prior in self.priors)

    def lines(self) -> list[str]:
        """The settings in readable lines, for provenance."""
        priors = [f"prior: {prior}" for prior in self.priors]
        more = [f"{name}: {getattr(self, name)}" for name in ("robust", "steps", "keep", "plateau", "coarse")]
        return [f"canvas: {self.canvas}", f"ascent: {self.ascent}", *priors, *more]


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be maximized: the targets of a model, one picture each.

    Arguments:
        model: The network.
        targets: Resolved, one per picture.
        frame: The shape of a picture, and what its values mean to the network.
        seeds: One per picture: pictures of one seed get the same random numbers, alone or in a batch.
        start: Pictures to start from in place of the recipe's, with shape (n, *frame.shape), as the frame has them.
        data: The user's own pictures, see `pellucid.synth.pictures`; for recipes that learn from them.
        steps: How many in place of the plan's; None: the plan's.
        seconds: The time after which to stop; None: no limit.
        changes: Fields of `Plan` that the user sets in place of the recipe's.
        precision: The type in which the network computes: "float32", or "bfloat16" where that is faster.
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
        """How many pictures there are to be."""
        return len(self.targets)

    def take(self, rows: Sequence[int]) -> Task:
        """The same for some of the pictures, any of them as often as wanted."""
        start = None if self.start is None else self.start[list(rows)]
        seeds = tuple(self.seeds[row] for row in rows)
        return replace(self, targets=tuple(self.targets[row] for row in rows), seeds=seeds, start=start)

    def changed(self, plan: Plan) -> Plan:
        """The plan with the user's changes."""
        changes = {name: value for name, value in self.changes.items() if value is not None}
        if "priors" in changes:
            changes["priors"] = tuple(changes["priors"])
        plan = replace(plan, **changes)
        return plan if self.steps is None else replace(plan, steps=self.steps)

    def real(self, most: int) -> Tensor:
        """The first of the user's pictures, as inputs of the network, with shape (n, *frame.shape).

        Raises:
            InputError: there are none, or they are no inputs of this frame.
        """
        return pictures(self.model, self.data).first(most)

    @property
    def autocast(self) -> torch.autocast:
        """The context in which the network computes in that precision."""
        return torch.autocast(self.frame.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def refuse(recipe: str, found: str, why: str, do: str) -> MethodError:
    """The error of a recipe that cannot be applied."""
    return MethodError(f"recipe {recipe!r}", found, why, do)
