"""Imputers as users write them: a number, a tensor, a function, or one for each of several inputs by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Columns, Model
from ..regions.multi_input import MultiInputRegions, check_names, model_of
from ..regions.regions import Regions, TableColumns
from .column_values import ColumnValues
from .imputer import Constant, Fill, Imputer, Own


def as_imputer(value: Any) -> Imputer:
    """The imputer that a user means.

    Arguments:
        value: A number, a tensor, a function of (x, gone), an imputer, or a mapping from names of inputs to any of these.

    Raises:
        InputError: it is none of them.
    """
    if hasattr(value, "prepare"):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (int, float, Tensor)):
        return Constant(value if isinstance(value, Tensor) else float(value))
    if isinstance(value, Mapping):
        return Each({name: as_imputer(one) for name, one in value.items()})
    if callable(value):
        return Own(value)
    raise InputError(
        f"imputer={value!r}", f"a {type(value).__name__}", "an imputer says what stands where something was taken away",
        "Pass a number, a tensor, a function (x, gone) -> x, or pl.perturb.blur().",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Each(Imputer):
    """An imputer for every input, by its name; where none is named, zero."""

    imputers: Mapping[str, Imputer]

    @property
    def soft(self) -> bool:
        return all(one.soft for one in self.imputers.values())

    @property
    def random(self) -> bool:
        return any(one.random for one in self.imputers.values())

    def prepare(self, x: Tensor, regions: Regions, model: Model) -> Fill:
        if not isinstance(regions, MultiInputRegions):
            raise InputError("imputers by the names of inputs", "one input", "there are no names", "Give one imputer.")
        return prepared(self, x, regions, model)

    def __str__(self) -> str:
        return ", ".join(f"{name}: {one}" for name, one in self.imputers.items())


def prepared(imputer: Imputer, x: Tensor, regions: Regions, model: Model) -> Fill:
    """What stands where something was taken away: of several inputs, in each its own.

    Raises:
        InputError: an imputer is named for an input that there is not.
    """
    if not isinstance(regions, MultiInputRegions):
        return imputer.prepare(x, regions, model)
    own = imputer.imputers if isinstance(imputer, Each) else None
    check_names(own, regions.sides, "imputers")
    fills = [
        one.prepare(side.of(x), part, model_of(model, side))
        for side, part, one in zip(regions.sides, regions.parts, _by_side(imputer, regions, model), strict=True)
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


def _by_side(imputer: Imputer, regions: MultiInputRegions, model: Model) -> list[Imputer]:
    """The imputer of each of several inputs."""
    own = imputer.imputers if isinstance(imputer, Each) else None
    each = (imputer if own is None else own.get(side.name, Constant(0.0)) for side in regions.sides)
    sides = zip(each, regions.parts, regions.sides, strict=True)
    return [for_columns(one, part, model_of(model, side)) for one, part, side in sides]


def for_columns(imputer: Imputer, regions: Regions, model: Model, *, alone: bool = False) -> Imputer:
    """The imputer; for columns of a table, which have nothing around them, their means and values in place of what stands around.

    Arguments:
        alone: Whether no two regions are ever taken away together.
    """
    if not isinstance(regions, TableColumns) or not getattr(imputer, "around", False):
        return imputer
    assert isinstance(model.preprocess, Columns)
    return ColumnValues(model.preprocess, alone)


def column_values(imputer: Imputer, regions: Regions, model: Model) -> ColumnValues | None:
    """What stands for columns of a table, if there is one, or one among several inputs, whose columns go by their values."""
    if isinstance(regions, MultiInputRegions):
        found = [one for one in _by_side(imputer, regions, model) if isinstance(one, ColumnValues)]
        return max(found, key=lambda one: one.draws, default=None)
    return imputer if isinstance(imputer, ColumnValues) else None
