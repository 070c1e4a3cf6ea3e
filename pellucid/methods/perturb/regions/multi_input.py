"""Regions of several inputs that lie side by side in one tensor: each input is divided in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.core.numbers import decimals, figure
from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.model.multi_input import InputSlice, input_layout
from .division import Entries, as_division
from .regions import Regions


@dataclass(frozen=True, eq=False)
class MultiInputRegions(Regions):
    """The regions of every input, one input after another.

    Arguments:
        sides: Where each input lies in the packed tensor.
        parts: The regions of each.
    """

    sides: tuple[InputSlice, ...]
    parts: tuple[Regions, ...]

    @property
    def n(self) -> int:
        return sum(part.n for part in self.parts)

    @property
    def soft(self) -> bool:
        return any(part.soft for part in self.parts)

    @property
    def shared(self) -> bool:
        """Whether the channels of a place go together in every input that has places."""
        wide = [part for side, part in zip(self.sides, self.parts, strict=True) if len(side.shape) > 1]
        return bool(wide) and all(part.shape[0] == 1 for part in wide)

    def shares(self, values: Tensor) -> str:
        """How much the regions of each input have together, in words, of values that add up."""
        sums = [float(some.double().sum()) for some in self._split(values)]
        places = decimals(*sums)
        shares = (f"{side.name} {figure(one, places)}" for side, one in zip(self.sides, sums, strict=True))
        return f"By input: {', '.join(shares)}."

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        masks = []
        for side, part, some in zip(self.sides, self.parts, self._split(absent, 1), strict=True):
            masks.append(part.gone(some, index).expand(len(absent), *side.shape).reshape(len(absent), -1))
        soft = any(mask.is_floating_point() for mask in masks)
        return torch.cat([mask.float() if soft else mask for mask in masks], 1)

    def paint(self, values: Tensor) -> Tensor:
        each = zip(self.sides, self.parts, self._split(values), strict=True)
        return torch.cat([part.paint(some).expand(side.shape).reshape(-1) for side, part, some in each])

    def to(self, device: torch.device) -> MultiInputRegions:
        return replace(self, parts=tuple(part.to(device) for part in self.parts))

    def _split(self, values: Tensor, axis: int = 0) -> tuple[Tensor, ...]:
        return torch.split(values, [part.n for part in self.parts], axis)


def divide(division: Any, x: Tensor, model: Model, *, inside: bool = False) -> Regions:
    """The regions of one sample: of several inputs, those of each.

    Arguments:
        division: A division, or one for each input by its name; inputs that it leaves out are divided as `Entries`.
        inside: Whether x is a value inside the model.

    Raises:
        InputError: a name belongs to no input.
    """
    inputs = None if inside else input_layout(model)
    if inputs is None:
        if isinstance(division, Mapping):
            advice = "Give one division: pl.perturb.Grid(8)."
            raise InputError("regions by the names of inputs", "one input", "there are no names", advice)
        regions: Regions = division.of(x, model)
        return regions
    check_names(division, inputs.sides, "regions")
    by_name = division if isinstance(division, Mapping) else dict.fromkeys((side.name for side in inputs.sides), division)
    divisions = [as_division(by_name.get(side.name), Entries()) for side in inputs.sides]
    parts = tuple(one.of(side.of(x), model_of(model, side)) for one, side in zip(divisions, inputs.sides, strict=True))
    counts = ", ".join(f"{side.name} {part.n:,}" for side, part in zip(inputs.sides, parts, strict=True))
    note = " ".join(dict.fromkeys((f"Regions by input: {counts}.", *filter(None, (part.note for part in parts)))))
    return MultiInputRegions((x.shape[1],), inputs.sides, parts, note=note)


def check_names(named: Any, sides: Sequence[InputSlice], what: str) -> None:
    """Refuse names that no input has."""
    names = [side.name for side in sides]
    for name in named if isinstance(named, Mapping) else ():
        if name not in names:
            known = f"the inputs {', '.join(map(repr, names))}"
            raise InputError(f"{what} of the input {name!r}", known, "none is called so", "Name one of these.")


def model_of(model: Model, side: InputSlice) -> Model:
    """The model as far as one of its inputs goes: how that is read."""
    return replace(model, preprocess=side.preprocess)
