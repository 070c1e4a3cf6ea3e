"""Examples: real pictures that a unit answers to, each with the part it can see and what it looks at there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.core.formats import save
from pellucid.core.numbers import figure
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
    """Where examples come from, and how they are looked at when somebody wants to see them.

    Arguments:
        model: Whose units.
        source: The user's pictures.
        kept: By number: pictures that cannot be read again.
        frame: How inputs become pictures.
        method: What explains a unit.
        fields: By layer: what its units see, as far as somebody asked.
    """

    model: Model
    pictures: Pictures
    kept: dict[int, Tensor]
    frame: Frame
    method: Method
    fields: dict[tuple[str, bool], ReceptiveField] = field(default_factory=dict)

    def input(self, index: int) -> Tensor:
        """One picture as the network takes it: (1, *shape)."""
        if index in self.kept:
            return self.kept[index][None].to(self.model.device, self.model.dtype)
        return self.pictures.take(torch.tensor([index]))

    def receptive_field(self, x: Tensor, at: str, *, tokens: bool) -> ReceptiveField:
        key = at, tokens
        if key not in self.fields:
            self.fields[key] = receptive_field(self.model, x, at, tokens=tokens)
        return self.fields[key]


@dataclass(frozen=True, eq=False)
class Example:
    """One real picture that a unit answers to. What it shows is reckoned when it is first asked for.

    Arguments:
        target: The unit, settled.
        index: The number of the picture in the data.
        name: What it is called there, or its number.
        value: What it was chosen for: the unit's peak or mean, or its relevance.
        position: Where in its map the unit peaked; None where it has none.
        cropped: Whether `box` is what the unit sees; else it is the whole picture.
    """

    target: Target
    index: int
    name: str | int
    value: float
    position: tuple[int, ...] | None
    source: ExampleSource
    cropped: bool = True

    def __repr__(self) -> str:
        where = "" if self.position is None else f" at {self.position}"
        return f"Example({self.name}: {self.target.text()} = {figure(self.value)}{where})"

    @cached_property
    def image(self) -> Tensor:
        """The whole picture, as the network saw it: in [0, 1] where bounds are known; on the CPU."""
        return self.source.frame.to_pictures(self.source.input(self.index))[0].detach().float().cpu()

    @cached_property
    def box(self) -> Box:
        """The part that the unit can see at its peak; the whole picture where it sees all, or has no place."""
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
        """The unit's own relevance at its peak, shaped like a picture without channels; None where it cannot be had.

        Positive is what makes the unit fire. Entries are raw.
        """
        try:
            found = self.source.method.attribute(self.source.model, self.source.input(self.index), self._peak())
        except PellucidError:  # an operation that cannot be walked: the picture can still be shown
            return None
        heat = found.values[0, 0] if found.shared else found.values[0].sum(0)
        return heat.detach().float().cpu()

    def _peak(self) -> Target:
        """The unit at the place where it peaked."""
        (weight, term), *more = self.target.terms
        if self.position is None or more or not isinstance(term, Channel):
            return self.target
        if term.tokens is None:
            return Target(((weight, replace(term, position=self.position)),))
        at = self.position[0] if len(self.position) == 1 else term.tokens
        return Target(((weight, replace(term, tokens=at)),))


@dataclass(frozen=True, eq=False)
class Examples(Sequence[tuple[Example, ...]]):
    """For each unit asked for, the pictures of the user's data that it answers to most, the best first.

    Arguments:
        units: In words.
        rows: By unit: its examples.
        by: What they were chosen for: "activation" or "relevance".
        seen: How many pictures were looked at.
        silent: Which units said the same of all of them, as one does that never fires.
        notes: Sentences a reader has to know.
        pool: What a unit with a map says of a picture: its peak ("max") or its "mean".
    """

    units: tuple[str, ...]
    rows: tuple[tuple[Example, ...], ...]
    by: str
    seen: int
    silent: tuple[bool, ...] = ()
    notes: tuple[str, ...] = ()
    pool: str = "max"

    def __len__(self) -> int:
        """How many units there are."""
        return len(self.rows)

    def __getitem__(self, unit: int) -> tuple[Example, ...]:  # type: ignore[override]
        return self.rows[unit]

    def __repr__(self) -> str:
        return f"Examples({len(self)} units, by {self.by}, of {self.seen} pictures)"

    def take(self, units: Sequence[int]) -> Examples:
        """The same for some of the units, any of them as often as wanted."""
        words, rows, silent = (
            tuple(self.units[i] for i in units),
            tuple(self.rows[i] for i in units),
            tuple(self.silent[i] for i in units),
        )
        return replace(self, units=words, rows=rows, silent=silent)

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

    def document(self) -> dict[str, Any]:
        """All of them as plain data."""
        units = [{"unit": unit, "silent": mute, "examples": [told(one) for one in row]}
                 for unit, row, mute in zip(self.units, self.rows, self.silent, strict=True)]  # fmt: skip
        return {"by": self.by, "pictures": self.seen, "units": units, "notes": list(self.notes)}

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a sheet of pictures (.png), or names, values and places (.json), whole or not at all."""
        return save(self, path, "examples", **options)


def examples_of(
    found: TopActivating, targets: Sequence[Target], source: ExampleSource, by: str, *, crop: bool = True, pool: str = "max"
) -> Examples:
    """What one pass found, told as examples. A unit that said the same of all pictures has none."""
    rows, silent = [], []
    for unit, target in enumerate(targets):
        ranks = [rank for rank in range(found.index.shape[1]) if found.index[unit, rank] >= 0]
        mute = bool(found.silent[unit])
        silent.append(mute)
        rows.append(
            ()
            if mute
            else tuple(
                Example(
                    target, int(found.index[unit, rank]), source.pictures.name(int(found.index[unit, rank])),
                    float(found.values[unit, rank]), found.position(unit, rank), source, crop,
                )
                for rank in ranks
            )
        )  # fmt: skip
    words = tuple(target.text() for target in targets)
    return Examples(words, tuple(rows), by, found.seen, tuple(silent), tuple(_notes(found, words, silent)), pool)


def _notes(found: TopActivating, words: Sequence[str], silent: Sequence[bool]) -> list[str]:
    mute = [word for word, one in zip(words, silent, strict=True) if one]
    notes = [f"Called off after {found.seen} pictures; the best of those are shown."] if found.stopped else []
    if mute:
        which = mute[0] if len(mute) == 1 else f"{len(mute)} units, {mute[0]} among them,"
        notes.append(f"{which} answered all {found.seen:,} pictures alike: none is an example.")
    return notes


def told(example: Example) -> dict[str, Any]:
    """One example as plain data."""
    position = None if example.position is None else list(example.position)
    return {"picture": example.name, "index": example.index, "value": example.value, "position": position,
            "box": [list(ends) for ends in example.box]}  # fmt: skip
