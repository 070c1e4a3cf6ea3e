"""Several targets of one sample: what a tape carries back for each of them, many at once where it can be stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pellucid.explanation.ledger import Row
from pellucid.model import Model
from pellucid.tape import Op, ResolvedTarget, Tape, name_target, read_alone, resolve_target
from pellucid.tape.stack import stack
from pellucid.target import Target
from .conditional_relevance import ops_between, rows_at_once

Segment = Callable[[Tape, dict[int, Tensor], int, bool], "tuple[Tensor | None, tuple[Row, ...]]"]
"""From a tape, what stands at some of its values, the value to stop at, and whether it starts at the target: what arrives there,
and the rows of the ledger. It leaves the tape as it is, for it is walked again."""


@dataclass(frozen=True, eq=False)
class Seeded:
    """One target on a tape.

    Arguments:
        tape: The pass, of the position alone that the target reads, where the last layers work at every position by itself.
        target: With names and predictions resolved.
        output: The model's main output, at all positions.
        resolved: The target on that tape.
    """

    tape: Tape
    target: Target
    output: Tensor
    resolved: ResolvedTarget


def seeded(tape: Tape, target: Target, model: Model) -> Seeded:
    """One target on a tape, as of the position alone that it reads."""
    named, output = name_target(tape, target, model)
    short, read = read_alone(tape, named, tape.inputs[0])
    return Seeded(short, named, output, resolve_target(short, read))


@dataclass(frozen=True, eq=False)
class Carried:
    """What arrived at a value, shaped like it, and the bookings on the way.

    Arguments:
        place: The value.
    """

    place: int
    values: Tensor
    rows: tuple[Row, ...] = ()


def carry_each(tape: Tape, seeds: Iterable[tuple[Tape, dict[int, Tensor]]], end: int, segment: Segment) -> list[Carried]:
    """What each of several seeds at the output sends back to the value `end`.

    Each is walked alone through the last layer, whose output may be as wide as a vocabulary; below it, as many together as fit.

    Arguments:
        seeds: One for every target: a pass whose values are those of `tape`, and more; and what starts where.
    """
    heads = []
    for short, seed in seeds:
        waist = _waist(tape, short, seed, end)
        goal = end if waist is None else waist
        heads.append(_carried(short, goal, segment(short, seed, goal, True)))
    places = {head.place for head in heads}
    if len(places) > 1 or end in places:
        return [_on(tape, head, end, segment) for head in heads]
    size = rows_at_once(tape, heads[0].place, end, len(heads))
    parts = [heads[first : first + size] for first in range(0, len(heads), size)]
    return [found for part in parts for found in _together(tape, part, end, segment)]


def _on(tape: Tape, head: Carried, end: int, segment: Segment) -> Carried:
    """The rest of the way."""
    if head.place == end:
        return head
    found = _carried(tape, end, segment(tape, {head.place: head.values}, end, False))
    return replace(found, rows=(*head.rows, *found.rows))


def _together(tape: Tape, heads: Sequence[Carried], end: int, segment: Segment) -> Iterator[Carried]:
    """From one value to another, in one walk where the tape can be stacked and is all there, else one by one."""
    count, start = len(heads), heads[0].place
    whole = all(value.empty is None for value in tape.values)
    stacked = stack(tape, ops_between(tape, start, end), count) if whole and count > 1 else None
    if stacked is None:
        yield from (_on(tape, head, end, segment) for head in heads)
        return
    found = _carried(stacked, end, segment(stacked, {start: torch.cat([head.values for head in heads])}, end, False))
    for n, (head, values) in enumerate(zip(heads, found.values.chunk(count), strict=True)):
        own = tuple(replace(row, amount=row.amount[n : n + 1]) for row in found.rows)
        yield Carried(end, values, (*head.rows, *own))


def _carried(tape: Tape, place: int, found: tuple[Tensor | None, tuple[Row, ...]]) -> Carried:
    """What arrived; zeros where nothing did."""
    values, rows = found
    return Carried(place, torch.zeros_like(tape.value(place)) if values is None else values, rows)


def _waist(tape: Tape, short: Tape, seed: dict[int, Tensor], end: int) -> int | None:
    """The value below the last layer that everything passes which a seed sends back, and that all targets share; None where there
    is none."""
    if len(seed) != 1 or tape.samples != 1:
        return None
    makers: dict[int, Op] = {i: op for op in short.ops for i in (*op.outs, *op.inner) if i is not None}
    (place,), dense = seed, False
    while place in makers and len(makers[place].ins) == 1 and place != end:
        dense = dense or makers[place].kind == "dense"
        place = makers[place].ins[0]
        if dense and place < len(tape.values):
            return place if place != end and place in makers else None
    return None
