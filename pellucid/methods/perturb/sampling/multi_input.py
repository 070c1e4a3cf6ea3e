"""Regions and fills of several inputs that lie side by side in one tensor: each input is divided and filled in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.core.numbers import decimals, figure
from pellucid.errors import InputError
from pellucid.model import Columns, Model
from pellucid.model.multi_input import Side, layout
from ..imputers.imputer import Constant, Fill, as_imputer
from ..regions.division import Division, Groups
from ..regions.regions import OfColumns, Regions, moved


@dataclass(frozen=True, eq=False)
class Apart(Regions):
    """The regions of every input, one input after another.

    Arguments:
        sides: Where each input lies.
        parts: The regions of each.
    """

    sides: tuple[Side, ...]
    parts: tuple[Regions, ...]

    @property
    def n(self) -> int:
        return sum(part.n for part in self.parts)

    def shares(self, values: Tensor) -> str:
        """How much the regions of each input have together, in words, of values that add up."""
        sums = [float(some.double().sum()) for some in torch.split(values, [part.n for part in self.parts])]
        places = decimals(*sums)
        return (
            "By input: "
            + ", ".join(f"{side.name} {figure(one, places)}" for side, one in zip(self.sides, sums, strict=True))
            + "."
        )

    @property
    def note(self) -> str:
        """What regions each input has."""
        told = [f"{side.name} {part.n:,}" for side, part in zip(self.sides, self.parts, strict=True)]
        chosen = dict.fromkeys(filter(None, (getattr(part, "note", "") for part in self.parts)))
        return " ".join((f"Regions by input: {', '.join(told)}.", *chosen))

    def gone(self, absent: Tensor, index: Sequence[int]) -> Tensor:
        made = []
        for side, part, some in zip(self.sides, self.parts, torch.split(absent, [part.n for part in self.parts], 1), strict=True):
            mask = part.gone(some, index)
            made.append(mask.expand(len(absent), *side.shape).reshape(len(absent), -1))
        soft = any(mask.is_floating_point() for mask in made)
        return torch.cat([mask.float() if soft else mask for mask in made], 1)

    def paint(self, values: Tensor) -> Tensor:
        some = torch.split(values, [part.n for part in self.parts])
        pairs = zip(self.sides, self.parts, some, strict=True)
        return torch.cat([part.paint(each).expand(side.shape).reshape(-1) for side, part, each in pairs])

    def on(self, device: torch.device) -> Apart:
        """The same beside the data they divide."""
        return replace(self, parts=tuple(moved(part, device) for part in self.parts))

    @property
    def shared(self) -> bool:
        """Whether the channels of a place go together in every input that has places."""
        wide = [part for side, part in zip(self.sides, self.parts, strict=True) if len(side.shape) > 1]
        return bool(wide) and all(part.shape[0] == 1 for part in wide)


def divide(division: Any, x: Tensor, model: Model, *, inside: bool = False) -> Regions:
    """The regions of one sample: of several inputs, those of each.

    Arguments:
        division: A division, or one for each input by its name; inputs that it leaves out are divided as `Entries`.
        inside: Whether x is a value inside the model.
    """
    inputs = None if inside else layout(model)
    if inputs is None:
        if isinstance(division, Mapping):
            raise InputError(
                "regions by the names of inputs", "one input", "there are no names", "Give one division: pl.perturb.Grid(8)."
            )
        found: Regions = division.of(x, model)
        return found
    check_names(division, [side.name for side in inputs.sides], "regions")
    parts = tuple(_one(division, side).of(side.of(x), _model(model, side)) for side in inputs.sides)
    return Apart((x.shape[1],), inputs.sides, parts)


def filled(imputer: Any, x: Tensor, regions: Regions, model: Model) -> Fill:
    """What stands where something was taken away: of several inputs, in each its own."""
    if not isinstance(regions, Apart):
        return as_imputer(imputer).prepare(x, regions, model)
    check_names(getattr(imputer, "imputers", None), [side.name for side in regions.sides], "imputers")
    fills = [
        as_imputer(fitting(chosen(imputer, side), part, _model(model, side))).prepare(side.of(x), part, _model(model, side))
        for side, part in zip(regions.sides, regions.parts, strict=True)
    ]

    def fill(gone: Tensor, draws: Sequence[int]) -> Tensor:
        contents = []
        for side, part, own in zip(regions.sides, regions.parts, fills, strict=True):
            mask = side.of(gone)
            for axis, length in enumerate(part.shape, start=1):
                mask = mask.narrow(axis, 0, 1) if length == 1 else mask
            content = own(mask, draws)
            contents.append(content.expand(len(content), *side.shape).reshape(len(content), -1))
        rows = max(len(content) for content in contents)
        return torch.cat([content.expand(rows, -1) for content in contents], 1)

    return fill


@dataclass(frozen=True, eq=False)
class Each:
    """An imputer for every input, by its name; where none is named, zero."""

    imputers: Mapping[str, Any]

    @property
    def soft(self) -> bool:
        return all(as_imputer(one).soft for one in self.imputers.values())

    @property
    def random(self) -> bool:
        return any(as_imputer(one).random for one in self.imputers.values())

    def prepare(self, x: Tensor, regions: Regions, model: Model) -> Fill:
        if not isinstance(regions, Apart):
            raise InputError("imputers by the names of inputs", "one input", "there are no names", "Give one imputer.")
        return filled(self, x, regions, model)

    def __str__(self) -> str:
        return ", ".join(f"{name}: {as_imputer(one)}" for name, one in self.imputers.items())


def fitting(imputer: Any, regions: Regions, model: Model) -> Any:
    """The imputer; for columns of a table, which have nothing around them, their means in place of what stands around."""
    if not isinstance(regions, OfColumns) or not getattr(as_imputer(imputer), "around", False):
        return imputer
    assert isinstance(model.preprocess, Columns)
    return Constant(model.preprocess.typical())


def chosen(imputer: Any, side: Side) -> Any:
    """The imputer of one input."""
    return imputer.imputers.get(side.name, 0.0) if isinstance(imputer, Each) else imputer


def check_names(given: Any, names: Sequence[str], what: str) -> None:
    """Refuse names that no input has."""
    for name in given if isinstance(given, Mapping) else ():
        if name not in names:
            found = f"the inputs {', '.join(map(repr, names))}"
            raise InputError(f"{what} of the input {name!r}", found, "none is called so", "Name one of these.")


def _one(division: Any, side: Side) -> Division:
    from ..regions.division import Entries

    found = division.get(side.name) if isinstance(division, Mapping) else division
    if isinstance(found, Tensor):
        return Groups(found)
    made: Division = Entries() if found is None else found
    return made


def _model(model: Model, side: Side) -> Model:
    """The model as far as one of its inputs goes: how that is read."""
    return replace(model, preprocess=side.preprocess)
