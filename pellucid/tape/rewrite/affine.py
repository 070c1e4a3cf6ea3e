"""Folding: what a batch norm, a per-channel scale or shift, or zero padding does is part of the linear operation beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from pellucid.model.outputs import leaves
from .. import kinds
from ..local import batch_norm, trains
from ..op import Affine, Op, Ref, Tape

LINEAR = ("convolution", "dense")


def fold(tape: Tape) -> Tape:
    """The same tape with affine maps folded into the linear operation whose only reader they are.

    For a batch norm with running statistics, z = gamma (W x + b - mean) / sqrt(var + eps) + beta is again linear in x. By the
    order in which things ran, never by the order in which modules were registered.
    """
    readers = uses(tape)
    made: dict[int, Op] = {}  # value -> the operation that makes it
    ops: dict[int, Op] = {}
    for op in tape.ops:
        source = made.get(op.ins[0]) if len(op.ins) == 1 else None
        affine = None if source is None or readers[op.ins[0]] > 1 else _affine(tape, source, op)
        if source is not None and affine is not None:
            del ops[source.index]
            inner = (*source.inner, op.ins[0])
            op = replace(source, index=op.index, outs=(op.outs[0],), affine=affine, inner=inner, aux=())
        elif source is not None and op.kind == "convolution" and readers[op.ins[0]] == 1 and _pads(tape, source):
            del ops[source.index]
            op = replace(op, ins=source.ins, pad=tuple(source.args[1]), inner=op.inner)
        ops[op.index] = op
        made.update({o: op for o in op.outs if o is not None})
    return tape.rewritten(tuple(ops.values()))


def uses(tape: Tape) -> Counter[int]:
    """How many operations read each value; being returned by the model counts too."""
    return Counter([*(i for op in tape.ops for i in op.ins), *(ref.id for ref in leaves(tape.output, Ref))])


def _affine(tape: Tape, source: Op, op: Op) -> Affine | None:
    """What the linear operation `source`, followed by `op`, folds; None if `op` is no per-channel affine map."""
    if source.kind not in LINEAR or len(source.ins) != 1:
        return None
    before = source.affine or Affine()
    if (
        op.name in kinds.BATCH_NORMS
        and not trains(op)
        and (source.kind == "convolution" or len(tape.values[op.ins[0]].shape) == 2)
    ):
        return before.then(*(None if t is None else t.to(_precision(tape, source)) for t in batch_norm(tape, op)))
    if op.name == "rounding":  # of an int8 layer: what it adds is part of the bias
        return before.then(shift=tape.value(op.args[1].id))
    if op.kind not in ("scale", "shift"):
        return None
    scale, shift = constant_affine(tape, op)
    if not all(c is None or _per_channel(c, tape.values[op.ins[0]].shape, source.kind) for c in (scale, shift)):
        return None
    if shift is not None and any(_may_be_a_sample(tape, ref.id, op) for ref in op.refs()):
        return None
    return before.then(*(None if t is None else t.to(_precision(tape, source)) for t in (scale, shift)))


def _precision(tape: Tape, linear: Op) -> torch.dtype:
    """The type that a linear operation computes with; under autocast what is folded into it may have another."""
    return next(tape.value(ref.id).dtype for ref in linear.args[:3] if isinstance(ref, Ref) and ref.id not in linear.ins)


def constant_affine(tape: Tape, op: Op) -> tuple[Tensor | None, Tensor | None]:
    """An operation of kind "scale" or "shift" as (scale, shift)."""
    like = tape.like(op.ins[0])
    first = isinstance(op.args[0], Ref) and op.args[0].id == op.ins[0]
    if op.name == "neg":
        return like.new_tensor(-1.0), None
    other = op.args[1] if first else op.args[0]
    c = tape.value(other.id) if isinstance(other, Ref) else like.new_tensor(float(other))
    alpha = op.kwargs.get("alpha", op.args[2] if len(op.args) > 2 and isinstance(op.args[2], (int, float)) else 1)
    if op.name == "mul":
        return c, None
    if op.name == "div":
        return (1 / c, None) if first else (None, None)
    if op.name == "add":
        return (None, c * alpha) if first else (like.new_tensor(float(alpha)), c)
    minus = (op.name == "sub") == first  # x - c, or c - x
    return (None, -c * alpha) if minus else (like.new_tensor(-1.0), c)


def _may_be_a_sample(tape: Tape, id_: int, op: Op) -> bool:
    """Whether a constant is one that was computed and has an axis for samples: in a larger batch it could not be folded."""
    value = tape.values[id_]
    return not value.tracked and not value.is_parameter and len(value.shape) == len(tape.values[op.out].shape) > 1


def _per_channel(c: Tensor, shape: tuple[int, ...], kind: str) -> bool:
    """Whether `c` varies along the channels of a linear operation's output at most."""
    if c.dim() > len(shape):
        return False
    aligned = (1,) * (len(shape) - c.dim()) + tuple(c.shape)
    channel = 1 if kind == "convolution" else len(shape) - 1
    return all(n == 1 for axis, n in enumerate(aligned) if axis != channel) and torch.is_floating_point(c)


def _pads(tape: Tape, op: Op) -> bool:
    """Whether `op` surrounds positions, not channels, with zeros."""
    if op.name != "constant_pad_nd" or (len(op.args) > 2 and op.args[2] != 0):
        return False
    pads, positions = op.args[1], 2 * (len(tape.values[op.ins[0]].shape) - 2)
    return min(pads) >= 0 and not any(pads[positions:])
