"""Top activating pictures: for many units at once those that score highest, in one pass that keeps no more than it shows.

How they become `Examples`, with crops and masks, is in `example.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pellucid.core.progress import report_progress
from pellucid.model import Model
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import Target
from pellucid.target.activation import Channel
from ..pictures import Pictures

BATCH = 64  # pictures read at once
Pool = Literal["max", "mean"]
Relevance = Callable[[Tensor, str | None, int], Tensor]
"""Takes inputs (batch, *shape), an address and the number of the first input; returns the relevance of the value there."""


@dataclass(frozen=True, eq=False)
class UnitScores:
    """What the units of a group are ranked by, for a batch: tensors (batch, units).

    Arguments:
        scores: What they are ranked by: the peak, the mean or the sum over their maps.
        ties: Which of equal scores is better: the means, since bounded units reach the same peak often.
        places: Where the maps peak, as an index into the flat map; -1 for units without a map.
        sizes: Of the maps: (height, width), (length,), () for units without one.
    """

    scores: Tensor
    ties: Tensor
    places: Tensor
    sizes: tuple[int, ...]


@dataclass(eq=False)
class TopActivating:
    """The best pictures of each unit so far, the best first; `add` and `keep` update it batch by batch.

    Arguments:
        values, ties: The scores of the best pictures, and their means, with shape (units, top).
        index: The numbers of the pictures in the data, (units, top); -1 where there were not enough pictures.
        places: Where the unit's map peaked, as an index into the flat map; -1 where it has none.
        least: The lowest score and mean of each unit, (units, 2).
        sizes: The size of each unit's map; () where it has none.
        kept: By number, the pictures themselves, where they cannot be read again.
        seen: How many pictures there were.
        stopped: Whether the pass was called off.
    """

    values: Tensor
    ties: Tensor
    index: Tensor
    places: Tensor
    least: Tensor
    sizes: list[tuple[int, ...]]
    kept: dict[int, Tensor]
    seen: int = 0
    stopped: bool = False

    @classmethod
    def of(cls, units: int, top: int) -> TopActivating:
        """Before the first picture."""
        low, none = torch.full((units, top), -torch.inf), torch.full((units, top), -1)
        return cls(low, low.clone(), none, none.clone(), torch.full((units, 2), torch.inf), [()] * units, {})

    @property
    def silent(self) -> Tensor:
        """Which units had the same value for all pictures, a mask (units,)."""
        return (torch.stack([self.values[:, 0], self.ties[:, 0]], 1) == self.least).all(1) & (self.seen > 1)

    def position(self, unit: int, rank: int) -> tuple[int, ...] | None:
        """Where a unit's map peaked, one index per axis; None for units without a map."""
        place, sizes = int(self.places[unit, rank]), self.sizes[unit]
        return None if place < 0 or not sizes else tuple(int(i) for i in torch.unravel_index(torch.tensor(place), sizes))

    def add(self, units: Sequence[int], new: UnitScores) -> None:
        """Rank a batch, whose first picture has the number `seen`; of equals the one that came first leads."""
        rows, top = list(units), self.values.shape[1]
        scores, ties, places = (one.T.cpu() for one in (new.scores, new.ties, new.places))
        index = torch.arange(self.seen, self.seen + scores.shape[1]).expand(len(rows), -1)
        best = self.values[rows], self.ties[rows], self.index[rows], self.places[rows]
        both = [torch.cat(pair, 1) for pair in zip(best, (scores, ties, index, places), strict=True)]
        order = both[1].argsort(dim=1, descending=True, stable=True)
        order = order.gather(1, both[0].gather(1, order).argsort(dim=1, descending=True, stable=True))[:, :top]
        self.values[rows], self.ties[rows], self.index[rows], self.places[rows] = (one.gather(1, order) for one in both)
        self.least[rows] = torch.minimum(self.least[rows], torch.stack([scores.amin(1), ties.amin(1)], 1))
        for row in rows:
            self.sizes[row] = new.sizes

    def keep(self, x: Tensor) -> None:
        """Keep the pictures that are among the best, of earlier batches and of this one, and no others."""
        best = set(self.index.flatten().tolist())
        self.kept = {i: one for i, one in self.kept.items() if i in best}
        self.kept |= {self.seen + i: x[i].cpu().clone() for i in range(len(x)) if self.seen + i in best}


@dataclass(frozen=True, eq=False)
class UnitGroup:
    """Units that are read together: channels of one layer, or one other target.

    Arguments:
        rows: Which of all units these are.
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
        """The units' scores for a batch, from the values at their addresses."""
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
        """The maps of the channels (batch, units, *places), the offset of their first place, and the size of the whole map."""
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
    """The units, those of one layer in one group."""
    rows_by_key: dict[object, list[int]] = {}
    for row, target in enumerate(targets):
        (weight, term), *more = target.terms
        single = isinstance(term, Channel) and weight == 1 and not more and isinstance(term.unit, int)
        rows_by_key.setdefault((term.at, term.position, term.tokens) if single else row, []).append(row)  # type: ignore[attr-defined]
    groups = []
    for key, rows in rows_by_key.items():
        term = targets[rows[0]].terms[0][1]
        single = isinstance(key, tuple) and isinstance(term, Channel)
        channels = tuple(targets[row].terms[0][1].unit for row in rows) if single else None  # type: ignore[attr-defined]
        groups.append(UnitGroup(tuple(rows), targets[rows[0]], channels))
    return groups


def top_activating(
    model: Model, source: Pictures, targets: Sequence[Target], top: int, *, pool: Pool = "max", relevance: Relevance | None = None
) -> TopActivating:
    """The `top` best pictures of every unit, in one pass.

    `top` numbers are kept per unit; the pictures too, each once, where they come from a loader and cannot be read again.

    Arguments:
        targets: The units, resolved.
        pool: How the map of a channel becomes its score: its peak, or its mean. Other targets are scores already.
        relevance: Rank by the relevance of a channel, summed over its map, in place of its activation.
    """
    groups, best = group_units(targets), TopActivating.of(len(targets), top)
    for x in (part for batch in source.everything(BATCH) for part in torch.split(batch, batch_size(batch))):
        values = _values(model, x, groups, relevance, best.seen)
        for group in groups:
            best.add(group.rows, group.read(values.__getitem__, "sum" if relevance else pool))
        if source.loader is not None:
            best.keep(x)
        best.seen += len(x)
        if report_progress(best.seen, max(source.count, best.seen), "pictures"):
            best.stopped = best.seen < source.count or source.loader is not None
            break
    return best


def _values(
    model: Model, x: Tensor, groups: Sequence[UnitGroup], relevance: Relevance | None, first: int
) -> dict[str | None, Tensor]:
    """The values that all units read, for a batch: from one pass, or from one explanation per layer."""
    addresses = tuple(dict.fromkeys(at for group in groups for at in group.addresses))
    if relevance is None:
        return forward_values(model, x, (*addresses, None))
    return {at: relevance(x, at, first) for at in addresses}


def _number(place: Sequence[int], sizes: Sequence[int]) -> int:
    """The index of a place into the flat map."""
    number = 0
    for p, n in zip(place, sizes, strict=True):
        number = number * n + p
    return number
