"""TopActivating: for many units at once, the pictures that score highest, found in one pass that keeps no more than it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.model import Model
from pellucid.tape.forward import at_once, heard
from pellucid.target import Target
from pellucid.target.activation import Channel
from ..pictures import Pictures

BATCH = 64  # pictures read at once
Relevance = Callable[[Tensor, str | None, int], Tensor]
"""The relevance of the value at an address for the class of each input, like the value; the number is that of the first input."""


@dataclass(frozen=True, eq=False)
class TopActivating:
    """The best pictures of each unit, the best first. Places that were never filled, for want of pictures, have index -1.

    Arguments:
        values: With shape (units, top).
        index: The numbers of the pictures in the data.
        place: Where the unit peaked, as a number in its map counted row by row; -1 where it has no map.
        silent: Which units said the same of all pictures.
        sizes: The map of each unit: (height, width), (length,), () where it has none.
        seen: How many pictures there were.
        kept: By number: the pictures themselves, where they cannot be read again.
        stopped: Whether the pass was called off.
    """

    values: Tensor
    index: Tensor
    place: Tensor
    silent: Tensor
    sizes: tuple[tuple[int, ...], ...]
    seen: int
    kept: dict[int, Tensor]
    stopped: bool = False

    def position(self, unit: int, rank: int) -> tuple[int, ...] | None:
        """One index per axis of the unit's map, where it peaked."""
        place, sizes = int(self.place[unit, rank]), self.sizes[unit]
        return None if place < 0 or not sizes else tuple(int(i) for i in torch.unravel_index(torch.tensor(place), sizes))


@dataclass(frozen=True, eq=False)
class UnitScores:
    """What units say of a batch, with shape (batch, units).

    Arguments:
        scores: What they are ranked by.
        ties: Which of equals is better: their means, for many peaks are as high as a bounded unit can say.
        places: Where they peaked; -1 where they have no map.
        sizes: Of their maps.
    """

    scores: Tensor
    ties: Tensor
    places: Tensor
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class UnitGroup:
    """Units that are read together: channels of one layer, or one other target.

    Arguments:
        rows: Which of the units asked for.
        target: One of them; of channels only the layer and the tokens count.
        channels: Which channels; None for another target.
    """

    rows: tuple[int, ...]
    target: Target
    channels: tuple[int, ...] | None

    @property
    def addresses(self) -> tuple[str | None, ...]:
        return self.target.addresses

    def read(self, value: Callable[[str | None], Tensor], pool: str) -> UnitScores:
        """What the units say of a batch."""
        if self.channels is None:
            first = value(self.addresses[0])
            scores = self.target.take([0] * len(first)).read(value)[:, None].float().nan_to_num(-torch.inf)
            return UnitScores(scores, scores, torch.full_like(scores, -1, dtype=torch.long), ())
        maps, offset, sizes = self._maps(value(self.addresses[0]))
        flat = maps.flatten(2).float().nan_to_num(-torch.inf)
        (peak, place), mean = flat.max(2), flat.mean(2)
        scores = {"max": peak, "mean": mean, "sum": flat.sum(2)}[pool]
        return UnitScores(scores, mean, place + offset if sizes else torch.full_like(place, -1), sizes)

    def _maps(self, value: Tensor) -> tuple[Tensor, int, tuple[int, ...]]:
        """The maps of the channels (batch, units, *places), how many places stand before them, and the size of the whole."""
        term = self.target.terms[0][1]
        assert isinstance(term, Channel) and self.channels is not None
        maps = (value if term.tokens is None else value.movedim(-1, 1))[:, list(self.channels)]
        sizes = tuple(maps.shape[2:])
        if not sizes:
            return maps[..., None], 0, ()
        if term.position is not None:
            place = [int(p) % n for p, n in zip(term.position, sizes, strict=True)]
            return maps.flatten(2)[..., _number(place, sizes), None], _number(place, sizes), sizes
        if term.tokens in (None, "all") or len(sizes) > 1:
            return maps, 0, sizes
        first = 1 if term.tokens == "patch" and sizes[0] > 1 else 0
        one = {"patch": None, "cls": 0}.get(term.tokens, term.tokens) if isinstance(term.tokens, str) else term.tokens
        return (maps[..., first:], first, sizes) if one is None else (maps[..., int(one), None], int(one) % sizes[0], sizes)


def group_units(targets: Sequence[Target]) -> list[UnitGroup]:
    """The units, those of one layer together."""
    found: dict[object, list[int]] = {}
    for row, target in enumerate(targets):
        (weight, term), *more = target.terms
        single = isinstance(term, Channel) and weight == 1 and not more and isinstance(term.unit, int)
        found.setdefault((term.at, term.position, term.tokens) if single else row, []).append(row)  # type: ignore[attr-defined]
    made = []
    for key, rows in found.items():
        term = targets[rows[0]].terms[0][1]
        single = isinstance(key, tuple) and isinstance(term, Channel)
        channels = tuple(targets[row].terms[0][1].unit for row in rows) if single else None  # type: ignore[attr-defined]
        made.append(UnitGroup(tuple(rows), targets[rows[0]], channels))
    return made


def top_activating(
    model: Model,
    source: Pictures,
    targets: Sequence[Target],
    top: int,
    *,
    pool: Literal["max", "mean"] = "max",
    relevance: Relevance | None = None,
) -> TopActivating:
    """The `top` best pictures of every unit, in one pass.

    Kept are `top` numbers per unit; the pictures too, each once, where they come from a loader and cannot be asked for again.

    Arguments:
        pool: How a unit's map becomes its value: its peak, or its mean. Other targets are what they are.
        relevance: Rank by a unit's relevance, summed over its map, in place of what it says.
    """
    parts, ranking, seen, stopped = group_units(targets), Ranking.of(len(targets), top), 0, False
    total = source.count
    for x in _batches(source):
        values = _values(model, x, parts, relevance, seen)
        for part in parts:
            ranking.note(part.rows, part.read(values.__getitem__, "sum" if relevance else pool), seen)
        if source.loader is not None:
            ranking.keep(x, seen)
        seen += len(x)
        if report_progress(seen, max(total, seen), "pictures"):
            stopped = seen < total or source.loader is not None
            break
    return TopActivating(
        ranking.scores, ranking.index, ranking.places, ranking.silent(seen), tuple(ranking.sizes), seen, ranking.kept, stopped
    )


@dataclass(eq=False)
class Ranking:
    """The best pictures so far: (units, top) each, and what units said least."""

    scores: Tensor
    ties: Tensor
    index: Tensor
    places: Tensor
    least: Tensor
    sizes: list[tuple[int, ...]]
    kept: dict[int, Tensor]

    @classmethod
    def of(cls, units: int, top: int) -> Ranking:
        low, none = torch.full((units, top), -torch.inf), torch.full((units, top), -1)
        return cls(low, low.clone(), none, none.clone(), torch.full((units, 2), torch.inf), [()] * units, {})

    def note(self, units: Sequence[int], said: UnitScores, first: int) -> None:
        """Rank what units say of a batch, whose first picture has this number; of equals the one that came first leads."""
        rows, top = list(units), self.scores.shape[1]
        scores, ties, places = (one.T.cpu() for one in (said.scores, said.ties, said.places))
        index = torch.arange(first, first + scores.shape[1]).expand(len(rows), -1)
        mine = self.scores[rows], self.ties[rows], self.index[rows], self.places[rows]
        every = [torch.cat(pair, 1) for pair in zip(mine, (scores, ties, index, places), strict=True)]
        order = every[1].argsort(dim=1, descending=True, stable=True)
        order = order.gather(1, every[0].gather(1, order).argsort(dim=1, descending=True, stable=True))[:, :top]
        self.scores[rows], self.ties[rows], self.index[rows], self.places[rows] = (one.gather(1, order) for one in every)
        self.least[rows] = torch.minimum(self.least[rows], torch.stack([scores.amin(1), ties.amin(1)], 1))
        for row in rows:
            self.sizes[row] = said.sizes

    def keep(self, x: Tensor, first: int) -> None:
        """Hold the pictures that are among the best, and no others."""
        wanted = set(self.index.flatten().tolist())
        self.kept = {i: one for i, one in self.kept.items() if i in wanted}
        self.kept |= {first + i: x[i].cpu().clone() for i in range(len(x)) if first + i in wanted}

    def silent(self, seen: int) -> Tensor:
        return (torch.stack([self.scores[:, 0], self.ties[:, 0]], 1) == self.least).all(1) & (seen > 1)


def _batches(source: Pictures) -> Iterator[Tensor]:
    for x in source.everything(BATCH):
        yield from torch.split(x, at_once(x))


def _values(
    model: Model, x: Tensor, parts: Sequence[UnitGroup], relevance: Relevance | None, seen: int
) -> dict[str | None, Tensor]:
    """What all units read of a batch: in one pass, or one explanation per layer."""
    addresses = tuple(dict.fromkeys(at for part in parts for at in part.addresses))
    if relevance is None:
        return heard(model, x, (*addresses, None))
    return {at: relevance(x, at, seen) for at in addresses}


def _number(place: Sequence[int], sizes: Sequence[int]) -> int:
    number = 0
    for p, n in zip(place, sizes, strict=True):
        number = number * n + p
    return number
