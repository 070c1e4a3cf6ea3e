"""Steps of max-pooling, which reads a window around each place, and of padding, slices and shuffles, which move places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pellucid.tape import Op
from .box import Box
from .operand import Patch
from .region import Settings, in_last_axes, region_and_box, sides
from .span import Span, Taps
from .step import Draft, PlanStep

MAX_POOLS = {"max_pool2d_with_indices": 2, "max_pool3d_with_indices": 3}


def windowed(draft: Draft, op: Op) -> PlanStep | None:
    """The step of such an operation; None for others, and where axes do not fit."""
    rule, box = RULES.get(op.name), draft.boxes.get(op.ins[0])
    return None if rule is None or box is None or len(op.ins) > 1 else rule(draft, op, box)


def _max_pool(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    d = MAX_POOLS[op.name]
    if not in_last_axes(box.layout, d):
        return None
    kernel, stride, padding, dilation, ceil = (*op.args[1:], *(None,) * 5)[:5]
    settings = Settings.of(d, kernel, stride, padding, dilation)
    sizes, lead = draft.shape(op.out)[-d:], len(box.layout.shape) - d
    taps = [settings.taps(axis, sizes[axis]) if axis + lead in box.layout.axes else None for axis in range(d)]
    source, output = region_and_box(draft, op, box, (*[None] * lead, *taps), -float("inf"))
    remaining = settings.remaining(taps)  # regions are cut to fit, so that rounding up changes nothing along their axes
    args = (op.fn, source, remaining.kernel, remaining.stride, remaining.padding, remaining.dilation, bool(ceil))
    return PlanStep(op, _values, args, boxes={op.out: output})


def _values(pool: Callable[..., tuple[Tensor, Tensor]], *args: Any) -> Tensor:
    return pool(*args)[0]


def _pad(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    """Places get new numbers; nothing is moved unless it is cut off."""
    n = len(box.layout.shape)
    low, high = sides(op.args[1], n)
    padded = {axis for axis in range(n) if low[axis] or high[axis]}
    if padded.isdisjoint(box.layout.axes):  # channels of zeros
        return PlanStep(op, op.fn, (Patch(op.ins[0]), *op.args[1:]), boxes={op.out: draft.box(op.out, box, box.spans)})
    if not padded <= set(box.layout.axes):
        return None
    fill = float(op.args[2]) if len(op.args) > 2 else 0.0
    sizes = draft.shape(op.out)
    taps = [Taps(1, 1, 1, low[axis], sizes[axis]) if axis in padded else None for axis in range(n)]
    source, output = region_and_box(draft, op, box, taps, fill)
    return PlanStep(op, _same, (source,), boxes={op.out: output})


def _slice(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    arguments = dict(enumerate(op.args))
    axis, step = arguments.get(1, 0) % len(box.layout.shape), arguments.get(4) or 1
    size, start = draft.shape(op.ins[0])[axis], arguments.get(2) or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    taps: list[Taps | None] = [None] * len(box.layout.shape)
    taps[axis] = Taps(1, step, 1, -start, draft.shape(op.out)[axis])
    source, output = region_and_box(draft, op, box, taps)
    return PlanStep(op, _same, (source,), boxes={op.out: output})


def _same(x: Tensor) -> Tensor:
    return x


def _shuffle(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    """Channels become places."""
    r = op.args[1]
    spans = [Span(span.starts * r, span.length * r, span.size * r) for span in box.spans]
    if not in_last_axes(box.layout, 2):
        return None
    return PlanStep(op, op.fn, (Patch(op.ins[0]), r), boxes={op.out: draft.box(op.out, box, spans)})


def _unshuffle(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    """Places become channels."""
    r, shape = op.args[1], draft.shape(op.out)
    if not in_last_axes(box.layout, 2):
        return None
    taps = [Taps(r, r, 1, 0, length) if axis in box.layout.axes else None for axis, length in enumerate(shape)]
    source, output = region_and_box(draft, op, box, taps)
    return PlanStep(op, op.fn, (source, r), boxes={op.out: output})


RULES: dict[str, Callable[[Draft, Op, Box], PlanStep | None]] = {
    **dict.fromkeys(MAX_POOLS, _max_pool),
    "constant_pad_nd": _pad,
    "slice": _slice,
    "slice_copy": _slice,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _unshuffle,
}
