"""Imputers of several inputs that lie side by side in one tensor: each input is filled in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model import Columns, Model
from ..regions.multi_input import MultiInputRegions, check_names, model_of
from ..regions.regions import Regions, TableColumns
from .imputer import Constant, Fill, Imputer


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
    fills = []
    for side, part in zip(regions.sides, regions.parts, strict=True):
        one, its_model = imputer if own is None else own.get(side.name, Constant(0.0)), model_of(model, side)
        fills.append(for_columns(one, part, its_model).prepare(side.of(x), part, its_model))

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


def for_columns(imputer: Imputer, regions: Regions, model: Model) -> Imputer:
    """The imputer; for columns of a table, which have nothing around them, their means in place of what stands around."""
    if not isinstance(regions, TableColumns) or not getattr(imputer, "around", False):
        return imputer
    assert isinstance(model.preprocess, Columns)
    return Constant(model.preprocess.typical())
