"""Passing conditions: something is carried back in legs, from layer to layer, and at each only what was asked for goes on.

References: Achtibat et al., 2023, From attribution maps to human-understandable explanations through concept relevance
    propagation, Nature Machine Intelligence, https://doi.org/10.1038/s42256-023-00711-8
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.explanation.ledger import Row, before
from pellucid.target import Target
from pellucid.target.condition import Condition
from pellucid.target.conditioning import Passage
from .axes.channel_axis import axes_of
from .batch import Batch, per_sample
from .op import Op, Tape
from .seed import Aim, find
from .stack import repeated, stack
from .walk import path

ROOM = 6.4e7  # bytes of the largest value that is carried; on a CPU, more at once is no quicker
MOST = 64  # rows in one walk

Leg = Callable[[Tape, dict[int, Tensor], int], "tuple[Tensor | None, tuple[Row, ...]]"]
"""Carries what starts at values of a tape to another value: what arrives there, and what was booked on the way."""


@dataclass(frozen=True, eq=False)
class Gate:
    """A condition on a tape.

    Arguments:
        id: The value it is on.
        place: Where an operation hands relevance to that value: itself, or the value it was folded into.
        where: How a user calls the layer.
        mask: True where something passes, shaped like the value.
    """

    id: int
    place: int
    where: str
    cause: str
    mask: Tensor

    def let(self, t: Tensor) -> Tensor:
        """What passes."""
        return torch.where(self.mask, t, torch.zeros((), dtype=t.dtype, device=t.device))


def gates(tape: Tape, passage: Passage) -> tuple[Gate, ...]:
    """The conditions of a passage as gates, the one nearest to the output first.

    Raises:
        WhereError: no value is at an address.
        InputError: the value there has no such part.
    """
    makers = {i: op for op in tape.ops for i in (*op.outs, *op.inner) if i is not None}
    found = [_gate(tape, makers, str(where), find(tape, where), condition) for where, condition in passage.conditions]
    return tuple(sorted(found, key=lambda gate: -(makers[gate.place].index if gate.place in makers else -1)))


def _gate(tape: Tape, makers: dict[int, Op], where: str, id: int, condition: Condition) -> Gate:
    value = tape.values[id]
    mask = condition.mask(axes_of(tape, id, where)).to(tape.value(tape.inputs[0]).device).expand(value.shape)
    swallowed = id in makers and id in makers[id].inner
    return Gate(id, makers[id].out if swallowed else id, where, condition.cause, mask)


def conduct(
    tape: Tape, starts: dict[int, Tensor], passages: Sequence[Passage], end: int, leg: Leg
) -> tuple[Tensor, tuple[Row, ...]]:
    """What arrives at the value `end` of all that starts, having passed what each of `passages` asks for.

    The way down to the first layer is walked once. From there on, many passages through one sample are walked together.

    Arguments:
        leg: How things are carried. It must leave the tape as it is, for it is walked again.

    Returns:
        A row for each sample and passage, those of one sample together; bookings likewise.

    Raises:
        MethodError: nothing that starts comes by a layer, or the layers do not lie behind one another.
    """
    asked = [gates(tape, passage) for passage in passages]
    values: list[Tensor | None] = [None] * len(asked)
    booked: list[tuple[Row, ...]] = [()] * len(asked)
    for layers in dict.fromkeys(tuple(gate.place for gate in row) for row in asked):
        same = [n for n, row in enumerate(asked) if tuple(gate.place for gate in row) == layers]
        arrived, rows = leg(tape, starts, asked[same[0]][0].id)
        if arrived is None:
            raise _passed_by(asked[same[0]][0])
        size = _rows_at_once(tape, layers[0], end, len(same))
        for first in range(0, len(same), size):
            some = same[first : first + size]
            for n, found, kept in zip(some, *_together(tape, arrived, [asked[n] for n in some], end, leg), strict=True):
                values[n], booked[n] = found, (*rows, *kept)
    done = [value for value in values if value is not None]
    return interleaved(done), _joined(booked, tape.samples)


def _together(
    tape: Tape, arrived: Tensor, asked: list[tuple[Gate, ...]], end: int, leg: Leg
) -> tuple[list[Tensor], list[tuple[Row, ...]]]:
    """Some passages through the same layers at once where the tape can be stacked, else one after the other."""
    count = len(asked)
    told = None if count == 1 else stack(tape, _below(tape, asked[0][0].place, end), count)
    if count > 1 and told is None:
        alone = [_together(tape, arrived, [one], end, leg) for one in asked]
        return [values[0] for values, _ in alone], [rows[0] for _, rows in alone]
    if told is None:
        found, rows = _down(tape, arrived, asked[0], end, leg)
        return [found], [rows]
    joined = tuple(_stacked(column) for column in zip(*asked, strict=True))
    found, rows = _down(told, repeated(arrived, count), joined, end, leg)
    each = [tuple(replace(row, amount=row.amount[n : n + 1]) for row in rows) for n in range(count)]
    return list(found.chunk(count)), each


def _down(tape: Tape, arrived: Tensor, layers: Sequence[Gate], end: int, leg: Leg) -> tuple[Tensor, tuple[Row, ...]]:
    """From the first layer through all others to the end."""
    booked: list[Row] = []
    for n, gate in enumerate(layers):
        passed = gate.let(arrived)
        batch = tape.values[gate.place].batch
        kept = per_sample(arrived - passed, batch, tape.samples).double()
        booked.append(Row(gate.where, "condition", gate.cause, kept))
        goal = end if n + 1 == len(layers) else layers[n + 1].id
        found, rows = leg(tape, {gate.place: passed}, goal)
        if found is None and n + 1 < len(layers):
            raise _apart(gate, layers[n + 1])
        if found is None:
            found = torch.zeros(tape.values[end].shape, dtype=arrived.dtype, device=arrived.device)
        arrived, booked = found, [*booked, *rows]
    return arrived, tuple(booked)


def _below(tape: Tape, start: int, end: int) -> list[Op]:
    """The operations between a value and another one, with the one that made the former."""
    makers = {i: op.index for op in tape.ops for i in (*op.outs, *op.inner) if i is not None}
    return [op for op in path(tape, (start,)) if op.index >= makers.get(end, -1)]


def _rows_at_once(tape: Tape, start: int, end: int, count: int) -> int:
    """How many rows of the values below fit."""
    if tape.samples > 1 or count == 1:
        return 1
    largest = max(prod(tape.values[i].shape) for op in _below(tape, start, end) for i in (*op.ins, op.out))
    x = tape.value(tape.inputs[0])
    room = ROOM if x.device.type == "cpu" else 32 * ROOM
    return max(1, min(MOST, int(room / (largest * x.element_size()))))


def _stacked(column: Sequence[Gate]) -> Gate:
    """The same layer's gates of many passages as one."""
    return replace(column[0], mask=torch.cat([gate.mask for gate in column]))


def interleaved(parts: Sequence[Tensor]) -> Tensor:
    """One tensor per passage, each with a row per sample, as one whose rows go through the passages sample by sample.

    Example:
        >>> interleaved([torch.tensor([1, 2]), torch.tensor([10, 20])])
        tensor([ 1, 10,  2, 20])
    """
    return parts[0] if len(parts) == 1 else torch.stack(list(parts), 1).flatten(0, 1)


def _joined(booked: Sequence[tuple[Row, ...]], samples: int) -> tuple[Row, ...]:
    """The bookings of all passages as rows that have an amount for each of them, nothing where a passage did not book it."""
    if len(booked) == 1:
        return booked[0]
    found: dict[tuple[bool, str, str, str, int], list[Tensor]] = {}
    for n, rows in enumerate(booked):
        seen: Counter[tuple[bool, str, str, str]] = Counter()
        for place, row in enumerate(rows):
            key = place >= len(before(rows)), row.where, row.op, row.cause
            none = torch.zeros(samples, dtype=torch.float64, device=row.amount.device)
            found.setdefault((*key, seen[key]), [none] * len(booked))[n] = row.amount.double()
            seen[key] += 1
    ordered = sorted(found.items(), key=lambda item: item[0][0])  # what came before the conditions first, else as booked
    return tuple(Row(*key[1:4], interleaved(amounts)) for key, amounts in ordered)


@dataclass(frozen=True, eq=False)
class Told:
    """A target told for every row that passages make of a batch, and what each row is."""

    score: Tensor
    target: Target
    through: tuple[str, ...]


def settled(tape: Tape, aimed: Aim, passages: Sequence[Passage], end: int) -> Told:
    """The score, the target and the words for the rows that `conduct` makes.

    Raises:
        InputError: a condition is said of another number of samples.
        MethodError: rows of the value `end` cannot be put one below the other.
    """
    samples, many = tape.samples, len(passages)
    if not many:
        return Told(aimed.score, aimed.target, ())
    for passage in passages:
        passage.check(samples)
    if many > 1 and tape.values[end].batch != Batch(0):
        raise MethodError(
            f"{many} maps of a value of shape {tape.values[end].shape}", "samples that do not stand along its first axis",
            "there is no telling the maps apart", "Ask for one condition at a time, or for maps of the input.",
        )  # fmt: skip
    through = tuple(passage.text(sample) for sample in range(samples) for passage in passages)
    if many == 1:
        return Told(aimed.score, aimed.target, through)
    rows = [sample for sample in range(samples) for _ in range(many)]
    return Told(aimed.score.repeat_interleave(many), aimed.target.take(rows), through)


def _passed_by(gate: Gate) -> MethodError:
    return MethodError(
        f"what passes {gate.where}", "that nothing of the target comes by there",
        "the target does not depend on it, or it only opens and closes a gate for what does",
        "Name a layer between the input and the target; pl.record(model, x).show() lists what ran.",
    )  # fmt: skip


def _apart(gate: Gate, other: Gate) -> MethodError:
    return MethodError(
        f"what passes {gate.where} and then {other.where}", "two layers beside one another", "no way leads through both",
        "Name layers that lie behind one another, or ask for each of them alone.",
    )  # fmt: skip
