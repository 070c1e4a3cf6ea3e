"""Several targets of one sample: what a tape carries back for each of them, many at once where it can be stacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pellucid.explanation.ledger import Row
from pellucid.tape import Op, Tape
from pellucid.tape.stack import repeated, stack
from .conditional_relevance import Segment, ops_between, rows_at_once

Carried = tuple[Tensor, tuple[Row, ...]]
"""What arrived at the end, shaped like it, and the bookings on the way."""


def carry_each(tape: Tape, seeds: Sequence[dict[int, Tensor]], end: int, segment: Segment) -> list[Carried]:
    """What each of several seeds at the output sends back to the value `end`.

    Each is walked alone through the last layer, whose output may be as wide as a vocabulary; below it, as many together as fit.

    Arguments:
        seeds: By value of the tape, one dict for every target.
        segment: Propagates from some values to another one. It must leave the tape as it is, for it is walked again.
    """
    waist = _waist(tape, seeds[0], end)
    if waist is None:
        return [_whole(tape, end, *segment(tape, seed, end)) for seed in seeds]
    heads = [_whole(tape, waist, *segment(tape, seed, waist)) for seed in seeds]
    size = rows_at_once(tape, waist, end, len(seeds))
    carried: list[Carried] = []
    for first in range(0, len(heads), size):
        carried += _together(tape, waist, heads[first : first + size], end, segment)
    return carried


def _together(tape: Tape, start: int, heads: Sequence[Carried], end: int, segment: Segment) -> Iterator[Carried]:
    """From one value to another, in one walk where the tape can be stacked, else one by one."""
    count = len(heads)
    stacked = None if count == 1 else stack(tape, ops_between(tape, start, end), count)
    if stacked is None:
        for arrived, before in heads:
            values, rows = _whole(tape, end, *segment(tape, {start: arrived}, end))
            yield values, (*before, *rows)
        return
    found, rows = segment(stacked, {start: torch.cat([arrived for arrived, _ in heads])}, end)
    values = repeated(torch.zeros_like(tape.value(end)), count) if found is None else found
    for n, (_, before) in enumerate(heads):
        own = tuple(replace(row, amount=row.amount[n : n + 1]) for row in rows)
        yield values.chunk(count)[n], (*before, *own)


def _whole(tape: Tape, end: int, found: Tensor | None, rows: tuple[Row, ...]) -> Carried:
    """What arrived; zeros where nothing did."""
    return torch.zeros_like(tape.value(end)) if found is None else found, rows


def _waist(tape: Tape, seed: dict[int, Tensor], end: int) -> int | None:
    """The input of the last layer, where everything that the seeds send back passes it; None where it does not."""
    if len(seed) != 1 or tape.samples != 1:
        return None
    makers: dict[int, Op] = {i: op for op in tape.ops for i in (*op.outs, *op.inner) if i is not None}
    (place,) = seed
    while place in makers and len(makers[place].ins) == 1 and place != end:
        op = makers[place]
        place = op.ins[0]
        if op.kind == "dense":
            return place if place != end and place in makers else None
    return None
