"""Operations on whole maps: where a change reaches everywhere, or no rule is known, the rest is computed densely."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.model.outputs import map_leaves
from pellucid.tape import Op, Ref, kinds
from pellucid.tape.batch import VIEWS, Batch
from .convolution import full_convolution
from .guard import mixed_samples
from .operand import BatchedShape, FullMap, Operand, Repeated, WindowCount, first_sample, repeated
from .pointwise import SIZED
from .step import Draft, PlanStep, multiply, on_the_right

# Which of their arguments is a shape that holds the number of samples.
SHAPED = dict.fromkeys(SIZED | {"as_strided"}, 1) | {"as_strided_scatter": 2}
COUNTED = {"native_group_norm": 3}
# What never varies with the samples, though its shape may look as if it did.
WEIGHTED = kinds.CONVOLUTIONS | {"mm", "addmm", "mv", "addmv", "native_layer_norm", "native_group_norm", "_fused_rms_norm"}


def dense(draft: Draft, op: Op) -> PlanStep:
    """The step that computes an operation as the model does, on as many samples as there are windows.

    Raises:
        ModelError: it mixes samples, so that one window's answer would depend on the others.
    """
    values = [value for value in (*op.ins, *op.outs) if value is not None and value in draft.needed]
    if any(draft.tape.values[value].batch is None for value in values):
        raise mixed_samples(op)
    if op.kind == "convolution":
        return full_convolution(draft, op)
    if op.kind == "dense" and len(op.ins) == 1 and on_the_right(draft.tape, op):
        return PlanStep(op, multiply, (FullMap(op.ins[0]), *draft.weight(op)))
    if op.name in VIEWS:
        return PlanStep(op, torch.reshape, (FullMap(op.ins[0]), _shape(draft, op.out)))
    args = list(map_leaves(op.args, Ref, lambda ref: _operand(draft, op, ref)))
    if op.name in SHAPED:
        args[SHAPED[op.name]] = _shape(draft, op.out if op.name != "as_strided_scatter" else op.ins[-1])
    if op.name in COUNTED:
        args[COUNTED[op.name]] = WindowCount()
    kwargs = {k: map_leaves(v, Ref, lambda ref: _operand(draft, op, ref)) for k, v in op.kwargs.items()}
    return PlanStep(op, op.fn, tuple(args), kwargs)


def _shape(draft: Draft, value: int) -> BatchedShape:
    batch = draft.tape.values[value].batch
    assert batch is not None, "checked before"
    samples = draft.tape.samples
    return BatchedShape(tuple(n // samples if a == batch.axis else n for a, n in enumerate(draft.shape(value))), batch.axis)


def _operand(draft: Draft, op: Op, ref: Ref) -> Operand | Tensor:
    """A changed value; or a constant, repeated for every window where it holds a row for each sample."""
    value = draft.tape.values[ref.id]
    if ref.id in draft.boxes or ref.id in draft.full_maps:
        return FullMap(ref.id)
    tensor = draft.tape.value(ref.id)
    batch = value.batch if value.tracked else _rows(draft, op, tensor)
    if batch is None:
        return tensor
    one = first_sample(tensor, batch, draft.tape.samples)
    if not value.tracked and not torch.equal(repeated(one, batch, draft.tape.samples), tensor):
        raise mixed_samples(op)
    return Repeated(one, batch)


def _rows(draft: Draft, op: Op, constant: Tensor) -> Batch | None:
    """Where a constant holds a row for each sample: where what it is combined with does."""
    batch = draft.tape.values[op.out].batch
    assert batch is not None, "checked before"
    length = draft.shape(op.out)[batch.axis]
    if op.name in kinds.BATCH_NORMS:  # samples laid out as channels, as instance norms do
        return Batch(0, batch.every) if batch.axis == 1 and constant.shape == (length,) else None
    full = constant.dim() == len(draft.shape(op.out)) and op.name not in WEIGHTED
    return batch if full and constant.shape[batch.axis] == length else None
