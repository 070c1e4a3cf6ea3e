"""Examples: real pictures that activate a unit most, each with the receptive field and the unit's own relevance in it.

The search for them is in `search.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.data_frame import data_frame
from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.numbers import figure
from pellucid.core.one_line import cut
from pellucid.errors import PellucidError
from pellucid.explanation.method import Method
from pellucid.model import Model
from pellucid.target import Target
from pellucid.target.activation import Channel
from ..frame import Frame
from ..pictures import Pictures
from .receptive_field import Box, ReceptiveField, receptive_field
from .top_activating import TopActivating


@dataclass(frozen=True, eq=False)
class ExampleSource:
    """Where the pictures of examples come from, and what their boxes and masks are computed with when they are first read.

    Arguments:
        model: The network with the units.
        pictures: The user's data.
        kept: By number, pictures that cannot be read again.
        frame: How inputs become pictures.
        method: Explains units, for masks.
        fields: The receptive fields of layers, as far as they have been computed.
    """

    model: Model
    pictures: Pictures
    kept: dict[int, Tensor]
    frame: Frame
    method: Method
    fields: dict[tuple[str, bool], ReceptiveField] = field(default_factory=dict)

    def input(self, index: int) -> Tensor:
        """One picture as an input of the network: (1, *shape)."""
        if index in self.kept:
            return self.kept[index][None].to(self.model.device, self.model.dtype)
        return self.pictures.take(torch.tensor([index]))

    def receptive_field(self, x: Tensor, at: str, *, tokens: bool) -> ReceptiveField:
        """The receptive fields of a layer; measured once."""
        key = at, tokens
        if key not in self.fields:
            self.fields[key] = receptive_field(self.model, x, at, tokens=tokens)
        return self.fields[key]


@dataclass(frozen=True, eq=False)
class Example(Displayed):
    """One real picture that activates a unit. Its image, box and mask are computed when they are first read.

    Arguments:
        target: The unit, resolved.
        index: The number of the picture in the data.
        name: Its file name, or its number.
        value: What it is ranked by: the unit's peak or mean, or its relevance.
        position: Where the unit's map peaked, one index per axis; None where it has no map.
        source: Where the picture comes from.
        cropped: Whether `box` is the receptive field; else it is the whole picture.
    """

    kind: ClassVar[str] = "example"

    target: Target
    index: int
    name: str | int
    value: float
    position: tuple[int, ...] | None
    source: ExampleSource
    cropped: bool = True

    def __repr__(self) -> str:
        where = "" if self.position is None else f" at {self.position}"
        return cut(f"Example({self.name}: {self.target.text()} = {figure(self.value)}{where})")

    @cached_property
    def image(self) -> Tensor:
        """The whole picture, preprocessed as for the network, (channel, ...): in [0, 1] where bounds are known; on the CPU."""
        return self.source.frame.to_pictures(self.source.input(self.index))[0].detach().float().cpu()

    @cached_property
    def box(self) -> Box:
        """The receptive field of the unit at its peak; the whole picture where the unit has no map."""
        x, term = self.source.input(self.index), self.target.terms[0][1]
        if self.position is None or not self.cropped or not isinstance(term, Channel) or term.at is None or x.dim() < 3:
            return tuple((0, side) for side in x.shape[2:])
        return self.source.receptive_field(x, term.at, tokens=term.tokens is not None).box(self.position)

    @property
    def crop(self) -> Tensor:
        """That part of the picture."""
        return self.image[(slice(None), *(slice(*ends) for ends in self.box))]

    @cached_property
    def mask(self) -> Tensor | None:
        """The relevance for the unit at its peak, raw, shaped like a picture without channels; None where it cannot be computed.

        Positive relevance is evidence for the unit.
        """
        try:
            attribution = self.source.method.attribute(self.source.model, self.source.input(self.index), self._peak())
        except PellucidError:  # an operation without a rule, say: the picture can still be shown
            return None
        heat = attribution.values[0, 0] if attribution.shared else attribution.values[0].sum(0)
        return heat.detach().float().cpu()

    def document(self) -> dict[str, Any]:
        """What is known of it as plain data."""
        position = None if self.position is None else list(self.position)
        box = [list(ends) for ends in self.box]
        return {"picture": self.name, "index": self.index, "value": self.value, "position": position, "box": box}

    def _peak(self) -> Target:
        """The unit at the place of its peak."""
        (weight, term), *more = self.target.terms
        if self.position is None or more or not isinstance(term, Channel):
            return self.target
        if term.tokens is None:
            return Target(((weight, replace(term, position=self.position)),))
        at = self.position[0] if len(self.position) == 1 else term.tokens
        return Target(((weight, replace(term, tokens=at)),))


@dataclass(frozen=True, eq=False)
class Examples(Displayed, Sequence[tuple[Example, ...]]):
    """For each unit the pictures of the user's data that activate it most, the best first.

    Arguments:
        units: As text.
        rows: By unit, its examples.
        by: What they are ranked by: "activation" or "relevance".
        seen: How many pictures were scored.
        silent: Which units had the same value for all of them, as one that never fires.
        notes: Remarks for the reader, whole sentences.
        pool: How a unit's map becomes one value: its peak ("max") or its "mean".
        provenance: What was asked.
    """

    kind: ClassVar[str] = "examples"

    units: tuple[str, ...]
    rows: tuple[tuple[Example, ...], ...]
    by: str
    seen: int
    silent: tuple[bool, ...] = ()
    notes: tuple[str, ...] = ()
    pool: str = "max"
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        """How many units there are."""
        return len(self.rows)

    def __getitem__(self, unit: int) -> tuple[Example, ...]:  # type: ignore[override]
        return self.rows[unit]

    def __repr__(self) -> str:
        return f"Examples({len(self)} units, by {self.by}, of {self.seen} pictures)"

    def take(self, units: Sequence[int]) -> Examples:
        """The same for some of the units, any of them as often as wanted."""
        rows, silent = tuple(self.rows[i] for i in units), tuple(self.silent[i] for i in units)
        return replace(self, units=tuple(self.units[i] for i in units), rows=rows, silent=silent)

    def computed(self) -> Examples:
        """The same, with all that is shown of every example computed now and not when it is first read."""
        for example in chain.from_iterable(self.rows):
            _ = example.image, example.box, example.mask
        return self

    @property
    def values(self) -> list[list[float]]:
        """By unit and rank."""
        return [[example.value for example in row] for row in self.rows]

    @property
    def indices(self) -> list[list[int]]:
        """The numbers of the pictures, by unit and rank."""
        return [[example.index for example in row] for row in self.rows]

    def frame(self) -> Any:
        """A line for every picture, as a `pandas.DataFrame`: unit, rank, picture, index, value."""
        lines = [(unit, rank + 1, one.name, one.index, one.value)
                 for unit, row in zip(self.units, self.rows, strict=True) for rank, one in enumerate(row)]  # fmt: skip
        return data_frame(lines, ("unit", "rank", "picture", "index", "value"))

    def document(self) -> dict[str, Any]:
        """All of them as plain data."""
        units = [{"unit": unit, "silent": mute, "examples": [one.document() for one in row]}
                 for unit, row, mute in zip(self.units, self.rows, self.silent, strict=True)]  # fmt: skip
        return {"by": self.by, "pictures": self.seen, "units": units, "notes": list(self.notes)}

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a sheet of pictures (.png), or names, values and places (.json), whole or not at all."""
        return save(self, path, "examples", **options)


def examples_of(
    best: TopActivating, targets: Sequence[Target], source: ExampleSource, by: str, *, crop: bool = True, pool: str = "max"
) -> Examples:
    """The result of a search as examples. A unit with the same value for all pictures has none."""
    rows, silent = list[tuple[Example, ...]](), tuple(best.silent.tolist())
    for unit, target in enumerate(targets):
        ranked = [] if silent[unit] else [(rank, i) for rank, i in enumerate(best.index[unit].tolist()) if i >= 0]
        rows.append(tuple(
            Example(target, i, source.pictures.name(i), float(best.values[unit, rank]), best.position(unit, rank), source, crop)
            for rank, i in ranked
        ))  # fmt: skip
    units = tuple(target.text() for target in targets)
    return Examples(units, tuple(rows), by, best.seen, silent, tuple(_notes(best, units, silent)), pool)


def _notes(best: TopActivating, units: Sequence[str], silent: Sequence[bool]) -> list[str]:
    mute = [unit for unit, one in zip(units, silent, strict=True) if one]
    notes = [f"Called off after {best.seen} pictures; the best of those are shown."] if best.stopped else []
    if mute:
        which = mute[0] if len(mute) == 1 else f"{len(mute)} units, {mute[0]} among them,"
        notes.append(f"{which} had the same value for all {best.seen:,} pictures: there is no example.")
    return notes
