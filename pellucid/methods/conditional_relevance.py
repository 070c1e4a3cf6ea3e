"""Conditional relevance: propagated in segments from layer to layer; at each only the selected channels or places pass.

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
from pellucid.tape import Op, Tape
from pellucid.tape.axes.layout import axes_of
from pellucid.tape.batch import Batch, per_sample
from pellucid.tape.seed import ResolvedTarget, find
from pellucid.tape.stack import repeated, stack
from pellucid.tape.walk import path
from pellucid.target import Target
from pellucid.target.condition import Condition
from pellucid.target.conditioning import Conditioning

ROOM = 6.4e7  # bytes of the largest value on the way; on a CPU, more at once is no quicker
MOST = 64  # rows in one walk

Segment = Callable[[Tape, dict[int, Tensor], int], "tuple[Tensor | None, tuple[Row, ...]]"]
"""From a tape, relevance at some of its values, and the value to stop at: the relevance there, and the rows of the ledger."""


@dataclass(frozen=True, eq=False)
class LayerMask:
    """A condition as a mask on one value of a tape.

    Arguments:
        id: The value it is on.
        place: Where an operation hands relevance to that value: itself, or the value it was folded into.
        where: How a user calls the layer.
        cause: What the ledger calls the relevance that is held back.
        mask: True where relevance passes, shaped like the value.
    """

    id: int
    place: int
    where: str
    cause: str
    mask: Tensor

    def apply(self, t: Tensor) -> Tensor:
        """What passes."""
        return torch.where(self.mask, t, torch.zeros((), dtype=t.dtype, device=t.device))


def layer_masks(tape: Tape, passage: Conditioning) -> tuple[LayerMask, ...]:
    """The masks of a passage's conditions, the one nearest to the output first.

    Raises:
        WhereError: no value is at an address.
        InputError: the value there has no such part.
    """
    makers = {i: op for op in tape.ops for i in (*op.outs, *op.inner) if i is not None}
    found = [_layer_mask(tape, makers, str(where), find(tape, where), condition) for where, condition in passage.conditions]
    return tuple(sorted(found, key=lambda mask: -(makers[mask.place].index if mask.place in makers else -1)))


def _layer_mask(tape: Tape, makers: dict[int, Op], where: str, id: int, condition: Condition) -> LayerMask:
    value = tape.values[id]
    mask = condition.mask(axes_of(tape, id, where)).to(tape.value(tape.inputs[0]).device).expand(value.shape)
    swallowed = id in makers and id in makers[id].inner
    return LayerMask(id, makers[id].out if swallowed else id, where, condition.cause, mask)


def propagate_conditional(
    tape: Tape, seeds: dict[int, Tensor], passages: Sequence[Conditioning], end: int, segment: Segment
) -> tuple[Tensor, tuple[Row, ...]]:
    """The relevance that arrives at the value `end` from the seeds, having passed what each of `passages` asks for.

    The way down to the first layer is walked once. From there on, many passages through one sample are walked together.

    Arguments:
        seeds: Relevance where it starts, by value of the tape.
        segment: Propagates from one layer to the next. It must leave the tape as it is, for it is walked again.

    Returns:
        A row for each sample and passage, those of one sample together; bookings likewise.

    Raises:
        MethodError: no relevance reaches a layer, or the layers are not in sequence.
    """
    masks = [layer_masks(tape, passage) for passage in passages]
    values: list[Tensor | None] = [None] * len(masks)
    bookings: list[tuple[Row, ...]] = [()] * len(masks)
    for layers in dict.fromkeys(tuple(mask.place for mask in row) for row in masks):
        same = [n for n, row in enumerate(masks) if tuple(mask.place for mask in row) == layers]
        arrived, rows = segment(tape, seeds, masks[same[0]][0].id)
        if arrived is None:
            raise _not_reached(masks[same[0]][0])
        size = rows_at_once(tape, layers[0], end, len(same))
        for first in range(0, len(same), size):
            some = same[first : first + size]
            for n, found, kept in zip(some, *_batched(tape, arrived, [masks[n] for n in some], end, segment), strict=True):
                values[n], bookings[n] = found, (*rows, *kept)
    done = [value for value in values if value is not None]
    return interleaved(done), _merged(bookings, tape.samples)


def _batched(
    tape: Tape, arrived: Tensor, masks: list[tuple[LayerMask, ...]], end: int, segment: Segment
) -> tuple[list[Tensor], list[tuple[Row, ...]]]:
    """Some passages through the same layers at once where the tape can be stacked, else one after the other."""
    count = len(masks)
    stacked = None if count == 1 else stack(tape, ops_between(tape, masks[0][0].place, end), count)
    if count > 1 and stacked is None:
        alone = [_batched(tape, arrived, [one], end, segment) for one in masks]
        return [values[0] for values, _ in alone], [rows[0] for _, rows in alone]
    if stacked is None:
        found, rows = _propagate(tape, arrived, masks[0], end, segment)
        return [found], [rows]
    joined = tuple(_concatenated(column) for column in zip(*masks, strict=True))
    found, rows = _propagate(stacked, repeated(arrived, count), joined, end, segment)
    each = [tuple(replace(row, amount=row.amount[n : n + 1]) for row in rows) for n in range(count)]
    return list(found.chunk(count)), each


def _propagate(
    tape: Tape, arrived: Tensor, layers: Sequence[LayerMask], end: int, segment: Segment
) -> tuple[Tensor, tuple[Row, ...]]:
    """From the first layer through all others to the end."""
    bookings: list[Row] = []
    for n, mask in enumerate(layers):
        passed = mask.apply(arrived)
        batch = tape.values[mask.place].batch
        kept = per_sample(arrived - passed, batch, tape.samples).double()
        bookings.append(Row(mask.where, "condition", mask.cause, kept))
        goal = end if n + 1 == len(layers) else layers[n + 1].id
        found, rows = segment(tape, {mask.place: passed}, goal)
        if found is None and n + 1 < len(layers):
            raise _in_parallel(mask, layers[n + 1])
        if found is None:
            found = torch.zeros(tape.values[end].shape, dtype=arrived.dtype, device=arrived.device)
        arrived, bookings = found, [*bookings, *rows]
    return arrived, tuple(bookings)


def ops_between(tape: Tape, start: int, end: int) -> list[Op]:
    """The operations between a value and another one, with the one that made the former."""
    makers = {i: op.index for op in tape.ops for i in (*op.outs, *op.inner) if i is not None}
    return [op for op in path(tape, (start,)) if op.index >= makers.get(end, -1)]


def rows_at_once(tape: Tape, start: int, end: int, count: int) -> int:
    """How many rows of the values below fit."""
    if tape.samples > 1 or count == 1:
        return 1
    largest = max(prod(tape.values[i].shape) for op in ops_between(tape, start, end) for i in (*op.ins, op.out))
    x = tape.value(tape.inputs[0])
    room = ROOM if x.device.type == "cpu" else 32 * ROOM
    return max(1, min(MOST, int(room / (largest * x.element_size()))))


def _concatenated(column: Sequence[LayerMask]) -> LayerMask:
    """The same layer's masks of many passages as one."""
    return replace(column[0], mask=torch.cat([mask.mask for mask in column]))


def interleaved(parts: Sequence[Tensor]) -> Tensor:
    """One tensor per passage, each with a row per sample, as one whose rows go through the passages sample by sample.

    Example:
        >>> interleaved([torch.tensor([1, 2]), torch.tensor([10, 20])])
        tensor([ 1, 10,  2, 20])
    """
    return parts[0] if len(parts) == 1 else torch.stack(list(parts), 1).flatten(0, 1)


def _merged(bookings: Sequence[tuple[Row, ...]], samples: int) -> tuple[Row, ...]:
    """The bookings of all passages as rows that have an amount for each of them, nothing where a passage did not book it."""
    if len(bookings) == 1:
        return bookings[0]
    found: dict[tuple[bool, str, str, str, int], list[Tensor]] = {}
    for n, rows in enumerate(bookings):
        seen: Counter[tuple[bool, str, str, str]] = Counter()
        for place, row in enumerate(rows):
            key = place >= len(before(rows)), row.where, row.op, row.cause
            none = torch.zeros(samples, dtype=torch.float64, device=row.amount.device)
            found.setdefault((*key, seen[key]), [none] * len(bookings))[n] = row.amount.double()
            seen[key] += 1
    ordered = sorted(
        found.items(), key=lambda item: item[0][0]
    )  # what came before the conditions first, else in the order of booking
    return tuple(Row(*key[1:4], interleaved(amounts)) for key, amounts in ordered)


@dataclass(frozen=True, eq=False)
class ConditionalTarget:
    """The target of every row that passages make of a batch.

    Arguments:
        score: Its value per row.
        target: The target, with a term for every row.
        through: What each row has passed, in words.
    """

    score: Tensor
    target: Target
    through: tuple[str, ...]


def conditional_target(tape: Tape, resolved: ResolvedTarget, passages: Sequence[Conditioning], end: int) -> ConditionalTarget:
    """The target of the rows that `propagate_conditional` makes.

    Raises:
        InputError: a condition is said of another number of samples.
        MethodError: rows of the value `end` cannot be put one below the other.
    """
    samples, many = tape.samples, len(passages)
    if not many:
        return ConditionalTarget(resolved.score, resolved.target, ())
    for passage in passages:
        passage.check(samples)
    if many > 1 and tape.values[end].batch != Batch(0):
        raise MethodError(
            f"{many} maps of a value of shape {tape.values[end].shape}", "samples that are not its first axis",
            "the maps cannot be told apart", "Ask for one condition at a time, or for maps of the input.",
        )  # fmt: skip
    through = tuple(passage.text(sample) for sample in range(samples) for passage in passages)
    if many == 1:
        return ConditionalTarget(resolved.score, resolved.target, through)
    rows = [sample for sample in range(samples) for _ in range(many)]
    return ConditionalTarget(resolved.score.repeat_interleave(many), resolved.target.take(rows), through)


def _not_reached(mask: LayerMask) -> MethodError:
    return MethodError(
        f"what passes {mask.where}", "a layer that no relevance of the target reaches",
        "the target does not depend on it, or only through a gate",
        "Name a layer between the input and the target; pl.record(model, x).show() lists what ran.",
    )  # fmt: skip


def _in_parallel(mask: LayerMask, other: LayerMask) -> MethodError:
    return MethodError(
        f"what passes {mask.where} and then {other.where}", "two layers in parallel branches", "no path leads through both",
        "Name layers in sequence, or ask for each of them alone.",
    )  # fmt: skip
