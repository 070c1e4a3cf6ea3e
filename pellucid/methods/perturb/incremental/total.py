"""Steps of sums and means over the whole picture: the old sum, plus what changed in the box."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from pellucid.tape import Op
from .box import Box
from .operand import BatchedShape, Clean, Fetch, Patch
from .step import Draft, PlanStep

POOLS = {"avg_pool1d": 1, "avg_pool2d": 2, "avg_pool3d": 3}
ADAPTIVE = {"adaptive_avg_pool1d": 1, "_adaptive_avg_pool2d": 2, "_adaptive_avg_pool3d": 3}


def total(draft: Draft, op: Op) -> PlanStep | None:
    """The step of an operation that adds up the whole picture; None for others."""
    box = draft.boxes.get(op.ins[0])
    share = None if box is None or len(op.ins) > 1 else _share(draft, op, box)
    batch = draft.tape.values[op.out].batch
    if box is None or share is None or batch is None:
        return None
    before = Fetch.of(op.ins[0], box.layout, None, [span.cut() for span in box.spans])
    shape = tuple(1 if axis == batch.axis else length for axis, length in enumerate(draft.shape(op.out)))
    return PlanStep(
        op, _changed, (Patch(op.ins[0]), before, Clean(op.out), BatchedShape(shape, batch.axis), list(box.layout.axes), share)
    )


def _share(draft: Draft, op: Op, box: Box) -> float | None:
    """What one place counts; None where not all of them do, or not alike, or other axes are added up too."""
    n, axes, mean = len(box.layout.shape), set(box.layout.axes), 1 / prod(box.layout.sizes)
    if op.name in ("mean", "sum"):
        named = {axis % n for axis in op.args[1]} if len(op.args) > 1 and op.args[1] else None
        plain = named == axes and op.kwargs.get("dtype") is None
        return None if not plain else mean if op.name == "mean" else 1.0
    d = (POOLS | ADAPTIVE).get(op.name)
    if d is None or axes != set(range(n - d, n)) or set(draft.shape(op.out)[-d:]) != {1}:
        return None
    return mean if op.name in ADAPTIVE or _covers(op.args, box.layout.sizes) else None


def _covers(args: Sequence[Any], sizes: Sequence[int]) -> bool:
    """Whether an average pooling with these arguments is the plain mean of the whole map."""
    padding, divisor = (args[3] if len(args) > 3 else ()), (args[6] if len(args) > 6 else None)
    return tuple(args[1]) == tuple(sizes) and not any(padding) and divisor is None


def _changed(patch: Tensor, before: Tensor, clean: Tensor, shape: list[int], axes: list[int], share: float) -> Tensor:
    return clean + (patch - before).sum(axes).reshape(shape) * share
