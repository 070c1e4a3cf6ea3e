"""Steps of weighted sums over places: average pooling and resizing, with one matrix per axis; totals of the whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from pellucid.tape import Op
from .box import Box, MapLayout, extents
from .operand import BatchedShape, Clean, Fetch, Lookup, Patch
from .region import in_last_axes, per_axis, region
from .span import Cut, Span
from .step import Draft, PlanStep

POOLS = {"avg_pool1d": 1, "avg_pool2d": 2, "avg_pool3d": 3}
ADAPTIVE = {"adaptive_avg_pool1d": 1, "_adaptive_avg_pool2d": 2, "_adaptive_avg_pool3d": 3}
RESIZED = {
    name: int(name[-2])
    for name in """upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d upsample_nearest1d
    upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d""".split()
}
DIMENSIONS = POOLS | ADAPTIVE | RESIZED


def separable(draft: Draft, op: Op) -> PlanStep | None:
    """The step of such an operation, each box with the rows and columns of the matrices that are its own; None for others."""
    box, d = draft.boxes.get(op.ins[0]), DIMENSIONS.get(op.name)
    divides = op.name in POOLS and len(op.args) > 6 and op.args[6] is not None  # by a number that belongs to no axis
    if box is None or d is None or not in_last_axes(box.layout, d) or divides:
        return None
    lead = len(box.layout.shape) - d
    busy = {axis + lead for axis in range(d) if not _idle(draft, op, axis)}
    if op.name in POOLS and busy.isdisjoint(box.layout.axes):  # along the channels, as local response norms do
        return PlanStep(op, op.fn, (Patch(op.ins[0]), *op.args[1:]), boxes={op.out: draft.box(op.out, box, box.spans)})
    if not busy <= set(box.layout.axes):
        return None
    spans, cuts, tables = [], [], []
    for n, (axis, span) in enumerate(zip(box.layout.axes, box.spans, strict=True)):
        matrix = _matrix(draft, op, axis - lead)
        reached, cut = _reached(matrix, span)
        spans.append(reached)
        cuts.append(cut)
        tables.append(Lookup(matrix[reached.cut().positions()[:, :, None], cut.positions()[:, None, :]], n))
    output = draft.box(op.out, box, spans)
    return PlanStep(op, _weigh, (region(op.ins[0], box, cuts), box.layout, output.layout, tables), boxes={op.out: output})


def _idle(draft: Draft, op: Op, axis: int) -> bool:
    """Whether nothing happens along that axis (of the last d)."""
    d = DIMENSIONS[op.name]
    if op.name in POOLS:
        kernel, stride, padding = _pooling(op, axis)
        return (kernel, stride, padding) == (1, 1, 0)
    return draft.shape(op.ins[0])[axis - d] == draft.shape(op.out)[axis - d]


def _pooling(op: Op, axis: int) -> tuple[int, int, int]:
    """Kernel, stride and padding of a pooling along one axis."""
    kernel, stride, padding = (*op.args[1:4], *(None,) * 3)[:3]
    settings = (kernel, stride or kernel, padding or 0)
    one, two, three = (per_axis(value, POOLS[op.name])[axis] for value in settings)
    return one, two, three


def _matrix(draft: Draft, op: Op, axis: int) -> Tensor:
    """What one axis (of the last d) contributes: the operation itself, on unit vectors along that axis alone."""
    d, tensor = DIMENSIONS[op.name], draft.tape.value(op.ins[0])
    size = tensor.shape[axis - d]
    shape = [1, size, *[1] * d]
    shape[axis - d] = size
    units = torch.eye(size, dtype=tensor.dtype, device=tensor.device).reshape(shape)
    output: Tensor = op.fn(units, *_alone(op, axis, d))
    return output.reshape(size, -1).t()


def _alone(op: Op, axis: int, d: int) -> list[Any]:
    """The arguments of the same operation along one axis only."""

    def only(value: Any, others: Any) -> list[Any]:
        return [value if a == axis else others for a in range(d)]

    if op.name in POOLS:
        kernel, stride, padding = _pooling(op, axis)
        return [only(kernel, 1), only(stride, 1), only(padding, 0), *op.args[4:6]]
    flags = [arg for arg in op.args[2:] if isinstance(arg, bool)]
    scales = [arg for arg in op.args[2:] if not isinstance(arg, bool)]
    return [only(op.args[1][axis], 1), *flags, *(only(scales[axis], None) if scales else ())]


def _reached(matrix: Tensor, span: Span) -> tuple[Span, Cut]:
    """The outputs that a span reaches, and the inputs that those read."""
    nonzero = matrix != 0
    counts = pad(nonzero.long().cumsum(1), (1, 0))
    hit = extents((counts[:, span.ends] > counts[:, span.starts]).t())[:, 0]  # for every place, among the outputs
    reached = Span.hull(hit[:, 0], hit[:, 1], matrix.shape[0])
    first, last = extents(nonzero)[:, 0].unbind(1)  # for every output, among the inputs
    first, last = first.flip(0).cummin(0).values.flip(0), last.cummax(0).values  # cubic weights may vanish in between
    return reached, Span.hull(first[reached.starts], last[reached.ends - 1], span.size).cut()


def _weigh(x: Tensor, before: MapLayout, after: MapLayout, matrices: list[Tensor]) -> Tensor:
    rows = before.rows(x)
    n, d, channels = rows.shape[0], len(matrices), rows.shape[-1]
    for axis, matrix in enumerate(matrices):
        lengths = rows.shape[1 : 1 + d]
        grouped = rows.reshape(n, prod(lengths[:axis]), lengths[axis], -1)
        rows = (matrix[:, None] @ grouped).reshape(n, *lengths[:axis], matrix.shape[1], *lengths[axis + 1 :], channels)
    return after.value(rows)


def total(draft: Draft, op: Op) -> PlanStep | None:
    """The step of an operation that adds up the whole picture; None for others."""
    box = draft.boxes.get(op.ins[0])
    share = None if box is None or len(op.ins) > 1 else _share(draft, op, box)
    batch = draft.tape.values[op.out].batch
    if box is None or share is None or batch is None:
        return None
    before = Fetch.of(op.ins[0], box.layout, None, [span.cut() for span in box.spans])
    shape = tuple(1 if axis == batch.axis else length for axis, length in enumerate(draft.shape(op.out)))
    after = Clean(op.out), BatchedShape(shape, batch.axis)
    return PlanStep(op, _changed, (Patch(op.ins[0]), before, *after, list(box.layout.axes), share))


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
