"""Steps of operations that treat every place of a picture alone, or leave the places alone: they run on boxes as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import leaves, map_leaves
from pellucid.tape import Op, Ref, Tape, kinds
from pellucid.tape.batch import REDUCTIONS, VIEWS
from pellucid.tape.local import trains
from .box import Box, MapLayout, layout_after, layout_of, union
from .operand import BatchedShape, Fetch, Operand, Patch
from .span import Span
from .step import Draft, PlanStep, multiply, on_the_right

# Entry by entry, operands aligned by broadcasting.
ALIGNED = (
    (kinds.ACTIVATIONS - {"rrelu_with_noise"} - (kinds.STRAIGHT_THROUGH - {"rounding"}))
    | kinds.SUMS
    | (kinds.PRODUCTS - {"glu"})
    | frozenset("neg where masked_fill maximum minimum".split())
)
COPIES = frozenset("clone contiguous detach alias _to_copy to dropout native_dropout lift_fresh detach_copy alias_copy".split())
TURNS = frozenset("permute transpose t swapaxes permute_copy transpose_copy t_copy".split())
SIZED = VIEWS | {"expand", "expand_copy", "copy"}
JOINS = frozenset({"cat", "stack"})
# Those that work along one axis, or a few: which of their arguments names it, and what holds where that is not given.
ALONG = {
    "_softmax _safe_softmax _log_softmax cumsum index_select": (1, None),
    "split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk": (2, 0),
    "cat select slice unbind select_copy slice_copy unbind_copy": (1, 0),
    "glu": (1, -1),
    "flip": (1, None),
    "roll linalg_vector_norm": (2, None),
    " ".join(REDUCTIONS): (1, None),
}
AXIS = {name: place for names, place in ALONG.items() for name in names.split()}


def pointwise(draft: Draft, op: Op) -> PlanStep | None:
    """The step of an operation that does not mix places; None for others."""
    box = next(draft.boxes[i] for i in op.ins if i in draft.boxes)
    axes = mixed_axes(draft.tape, op)
    if axes is None or axes & {*box.layout.axes, box.layout.samples}:
        return None
    if op.name in ALIGNED:
        return _aligned(draft, op)
    if op.name in JOINS:
        return _joined(draft, op, box)
    return _alone(draft, op, box)


def mixed_axes(tape: Tape, op: Op) -> set[int] | None:
    """The axes along which an operation mixes entries, or moves them; None: not known.

    Example:
        >>> from pellucid.tape import record
        >>> tape = record(lambda x: torch.cat([x.softmax(1), x.relu()], 2).flip(3), torch.ones(1, 2, 3, 4))
        >>> [(op.name, mixed_axes(tape, op)) for op in tape.ops]
        [('_softmax', {1}), ('relu', set()), ('cat', {2}), ('flip', {3})]
    """
    name, args = op.name, op.args
    n = len(tape.values[op.ins[0]].shape)
    if name in ALIGNED | COPIES | TURNS | SIZED | {"stack"}:
        return set()
    if name in kinds.BATCH_NORMS:
        return None if trains(op) else set()
    if name in ("native_layer_norm", "_fused_rms_norm"):
        return set(range(n - len(args[1]), n))
    if name in ("channel_shuffle", "native_channel_shuffle"):
        return {1}
    if op.kind == "dense" and on_the_right(tape, op):
        return {n - 1}
    if name == "index" and [i is not None for i in args[1]].count(True) == 1:  # y = x[:, rows]
        return {next(axis for axis, i in enumerate(args[1]) if i is not None)}
    if name not in AXIS:
        return None
    place, default = AXIS[name]
    return _axes(args[place] if len(args) > place else default, n)


def _axes(argument: Any, n: int) -> set[int]:
    """Axes from an argument that names one, some, or (None, or none) all of them."""
    if argument is None or argument == () or argument == []:
        return set(range(n))
    return {axis % n for axis in ((argument,) if isinstance(argument, int) else argument)}


def _alone(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    """One changed operand; constants, such as weights, do not vary along the picture."""
    fewer = len(draft.shape(op.out)) - len(box.layout.shape)
    if len(op.ins) > 1 or (fewer and op.name in ("linalg_vector_norm", "copy", "index")):  # there axes cannot be followed
        return None
    boxes = {}
    for out in draft.needed.intersection(o for o in op.outs if o is not None):
        layout = layout_after(draft.tape, op, box.layout, out)
        if layout is None:
            return None
        boxes[out] = Box(layout, box.spans)
    if op.kind == "dense":
        weight, bias = draft.weight(op)
        return PlanStep(op, multiply, (Patch(op.ins[0]), weight, bias), boxes=boxes)
    if op.name in VIEWS:
        return PlanStep(op, torch.reshape, (Patch(op.ins[0]), _sizes(boxes[op.out])), boxes=boxes)
    args = map_leaves(op.args, Ref, lambda ref: Patch(ref.id) if ref.id in draft.boxes else draft.tape.value(ref.id))
    if op.name in SIZED:
        args = (args[0], _sizes(boxes[op.out]), *args[2:])
    return PlanStep(op, op.fn, args, op.kwargs, boxes)


def _sizes(box: Box) -> BatchedShape:
    return BatchedShape(box.shape, box.layout.samples)


def _aligned(draft: Draft, op: Op) -> PlanStep | None:
    """Several operands, broadcast against each other, each cut to the box of what they make."""
    shape = draft.shape(op.out)
    boxes = [draft.boxes[i] for i in op.ins if i in draft.boxes]
    places = {tuple(axis + len(shape) - len(box.layout.shape) for axis in box.layout.axes) for box in boxes}
    sizes = {box.layout.sizes for box in boxes}
    layout = layout_of(draft.tape, op.out, places.pop()) if len(places) == 1 else None
    if layout is None or sizes != {layout.sizes}:
        return None
    spans = union(boxes)

    def operand(ref: Ref) -> Operand | Tensor:
        if ref.id in draft.boxes:
            return aligned_operand(ref.id, draft.boxes[ref.id], spans)
        return _unchanged_operand(draft.tape, ref.id, layout, spans)

    args = map_leaves(op.args, Ref, operand)
    kwargs = {k: map_leaves(v, Ref, operand) for k, v in op.kwargs.items()}
    return PlanStep(op, op.fn, args, kwargs, {op.out: Box(layout, spans)})


def aligned_operand(value: int, box: Box, spans: Sequence[Span]) -> Operand:
    """A changed value where `spans` are: its box itself, or that and what lies around it."""
    same = all(a.same(b) for a, b in zip(box.spans, spans, strict=True))
    return Patch(value) if same else Fetch.of(value, box.layout, box, [span.cut() for span in spans])


def _unchanged_operand(tape: Tape, value: int, layout: MapLayout, spans: Sequence[Span]) -> Operand | Tensor:
    """A value that does not change: a region of it where the spans are, if it varies along the picture."""
    tensor = tape.value(value)
    missing = len(layout.shape) - tensor.dim()
    shape = (1,) * missing + tuple(tensor.shape)
    if all(shape[axis] == 1 for axis in layout.axes):
        return tensor.narrow(layout.samples - missing, 0, 1) if shape[layout.samples] > 1 else tensor
    whole = list(shape)
    for axis in (layout.samples, *layout.axes):
        whole[axis] = layout.shape[axis]
    return Fetch.of(value, MapLayout(tuple(whole), layout.samples, layout.axes), None, [span.cut() for span in spans])


def _joined(draft: Draft, op: Op, box: Box) -> PlanStep | None:
    """Channels side by side, each cut to the box that covers all."""
    layout = layout_after(draft.tape, op, box.layout, op.out)
    parts = [ref.id for ref in leaves(op.args[0], Ref)]
    boxes = [draft.boxes[i] for i in parts if i in draft.boxes]
    if layout is None or any(b.layout.axes != box.layout.axes for b in boxes):
        return None
    spans = union(boxes)
    tensors = []
    for i in parts:
        if i in draft.boxes:
            tensors.append(aligned_operand(i, draft.boxes[i], spans))
        else:
            shape = tuple(1 if a == box.layout.samples else length for a, length in enumerate(draft.shape(i)))
            still = MapLayout(shape, box.layout.samples, box.layout.axes)
            tensors.append(Fetch.of(i, still, None, [span.cut() for span in spans]))
    return PlanStep(op, op.fn, (tuple(tensors), *op.args[1:]), op.kwargs, {op.out: Box(layout, spans)})
