"""The schedule: the operations between a window and what is read, each with the step that computes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from pellucid.tape import Op, Tape, kinds, path
from .box import Box, MapLayout, by
from .convolution import convolution
from .dense import dense
from .guard import guard
from .operand import Changed, Clean, Fetch, ForwardPass, FullMap, Key
from .pointwise import pointwise
from .separable import separable, total
from .step import Draft, PlanStep
from .windowed import windowed

RULES: Sequence[Callable[[Draft, Op], PlanStep | None]] = (pointwise, convolution, windowed, total, separable)
FRESH = frozenset("convolution dense pool max sum product shift scale norm activation softmax".split())  # never a view


@dataclass(frozen=True, eq=False)
class Schedule:
    """The steps, in order.

    Arguments:
        steps: One per operation whose result changes with the window.
        ends: After each step: the values that nothing later reads.
        boxes: Where the values change that are not computed as a whole.
        pasting: By value: how its box is pasted into the whole map.
        multiplications: What the steps take for one window, and what the same operations take on the whole picture.
    """

    steps: tuple[PlanStep, ...]
    ends: tuple[tuple[int, ...], ...]
    boxes: Mapping[int, Box]
    pasting: Mapping[int, Fetch]
    multiplications: tuple[int, int]

    def follow(self, run: ForwardPass, *, keep: bool = False) -> None:
        """Run all steps; `keep`: without freeing anything."""
        for step, ends in zip(self.steps, self.ends, strict=True):
            result = step(run)
            into = run.boxes if step.boxes else run.full_maps
            for out, tensor in zip(step.op.outs, [result] if isinstance(result, Tensor) else result, strict=False):
                if out is not None:
                    into[out] = tensor
            for value in () if keep else ends:
                run.boxes.pop(value, None)
                run.full_maps.pop(value, None)

    def maps(self) -> dict[Key, MapLayout | None]:
        """The clean values that the steps read, and how they are laid out."""
        layouts: dict[Key, MapLayout | None] = {fetch.key: fetch.layout for fetch in self.pasting.values()}
        for operand in (operand for step in self.steps for operand in step.operands()):
            if isinstance(operand, Fetch):
                layouts[operand.key] = operand.layout
            elif isinstance(operand, Clean):
                layouts[operand.value, None] = None
        return layouts

    def table(self) -> str:
        """One line per operation: index, kind, name, which part of its result is computed, module; then all multiply-adds."""
        rows = [_row(step) for step in self.steps]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        done, full = self.multiplications
        return "\n".join(lines + ([f"{done:,} of {full:,} multiply-adds per window"] if full else []))


def _row(step: PlanStep) -> tuple[str, ...]:
    op, box = step.op, step.boxes.get(step.op.out)
    part = "whole" if box is None else f"{by(box.lengths)} of {by(box.layout.sizes)}"
    return str(op.index), op.kind, op.name, part, op.module


def schedule(draft: Draft, start: int, reads: Collection[int], *, most: float, reuse: bool) -> Schedule:
    """The schedule from the value `start` to the values `reads`.

    Arguments:
        draft: Holds the box of `start`; gets those of all other values.
        most: Where a box covers more than this part of a map, the rest is computed on whole maps.
        reuse: Whether operations may overwrite what nothing else reads.

    Raises:
        ModelError: outputs of different windows are mixed, or depend on what the tape does not hold.
    """
    guard(draft.tape, start)
    ops = path(draft.tape, reads)
    draft.needed.update(reads, *(op.ins for op in ops))
    steps = [_step(draft, op, most) for op in ops if any(i in draft.boxes or i in draft.full_maps for i in op.ins)]
    if reuse:
        steps = _in_place_where_safe(draft.tape, steps, {start, *reads})
    pasted = {o.value for step in steps for o in step.operands() if isinstance(o, FullMap)}.union(reads) & {*draft.boxes}
    pasting = {i: Fetch.of(i, box.layout, box, [s.all() for s in box.spans]) for i, box in draft.boxes.items() if i in pasted}
    counts = [_multiplications(draft, step) for step in steps]
    total_counts = sum(done for done, _ in counts), sum(full for _, full in counts)
    return Schedule(tuple(steps), _ends(steps, reads), dict(draft.boxes), pasting, total_counts)


def _step(draft: Draft, op: Op, most: float) -> PlanStep:
    """The step of one operation: on boxes where that can be and is worth it."""
    step = None
    if draft.full_maps.isdisjoint(op.ins):
        step = next((result for rule in RULES if (result := rule(draft, op)) is not None), None)
    if step is None or any(box.share > most for box in step.boxes.values() or (draft.boxes[op.ins[0]],)):
        step = dense(draft, op)
    draft.boxes.update(step.boxes)
    if not step.boxes:
        draft.full_maps.update(o for o in op.outs if o is not None)
    return replace(step, op=replace(op, aux=()))  # positions of maxima are as large as the maps


def _ends(steps: Sequence[PlanStep], reads: Collection[int]) -> tuple[tuple[int, ...], ...]:
    last = {out: n for n, step in enumerate(steps) for out in step.op.outs if out is not None}
    last |= {value: n for n, step in enumerate(steps) for value in step.reads}
    ends: list[list[int]] = [[] for _ in steps]
    for value in last.keys() - set(reads):
        ends[last[value]].append(value)
    return tuple(map(tuple, ends))


def _multiplications(draft: Draft, step: PlanStep) -> tuple[int, int]:
    """Multiply-adds of one window in its box, and on the whole map."""
    op, shape = step.op, draft.shape(step.op.out)
    if op.kind == "convolution":
        spread = prod(draft.shape(op.ins[0])[2:]) / prod(shape[2:]) if op.args[6] else 1  # the inputs of a transposed one
        each = draft.weight(op)[0].numel() / shape[1] * spread
    elif op.name in kinds.MATRIX_PRODUCTS:
        each = draft.shape(op.ins[0])[-1]
    else:
        return 0, 0
    full = round(prod(shape) / draft.tape.samples * each)
    return round(full * step.boxes[op.out].share) if step.boxes else full, full


# -- in place -------------------------------------------------------------------------------------------------------------


def _in_place_where_safe(tape: Tape, steps: Sequence[PlanStep], reserved: Collection[int]) -> list[PlanStep]:
    """The same steps, those of entry-wise operations in place where nothing else reads their first operand."""
    operands = [operand for step in steps for operand in step.operands()]
    shared = [operand.value for operand in operands if isinstance(operand, Clean)]
    readers = Counter([*(operand.reads for operand in operands), *reserved, *shared])
    return [_in_place(step) if _owns(tape, step, readers) else step for step in steps]


def _owns(tape: Tape, step: PlanStep, readers: Counter[int | None]) -> bool:
    first, before, after = step.args[0], tape.values[step.op.ins[0]], tape.values[step.op.out]
    if step.fn is not step.op.fn or not isinstance(first, (Changed, Fetch)) or first.reads != step.op.ins[0]:
        return False
    maker = None if before.producer is None else tape.ops_by_index[before.producer]
    unshared = readers[first.reads] == 1 and maker is not None and maker.kind in FRESH
    types = {value.tensor.dtype for value in (before, after) if value.tensor is not None}
    return (isinstance(first, Fetch) or unshared) and before.shape == after.shape and len(types) < 2


def _in_place(step: PlanStep) -> PlanStep:
    """With the operation that overwrites its first operand with the same result, where there is one."""
    packet = getattr(torch.ops.aten, f"{step.op.name}_", None)
    twin: Any = getattr(packet, getattr(step.op.fn, "_overloadname", ""), None)
    return step if twin is None or step.op.kind not in FRESH else replace(step, fn=twin)
