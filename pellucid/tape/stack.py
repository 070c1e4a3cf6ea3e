"""Stacking: the tape of one sample as that of many equal ones, so that many relevances propagate through it at once.

The values of the sample stand once in memory: they are expanded, not copied.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor

from . import kinds
from .batch import Batch
from .local import trains
from .op import Op, Ref, Tape, Value

VIEWED = frozenset("view _unsafe_view reshape expand".split())  # whose arguments hold the shape that they make
# Operations that treat each entry of the first axis on its own, and say nothing of its length.
ROUTED = frozenset(
    """transpose permute t select slice unsqueeze squeeze clone alias detach _to_copy contiguous cat split split_with_sizes chunk
    unbind constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d roll flip pixel_shuffle
    pixel_unshuffle upsample_nearest1d upsample_nearest2d max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d
    native_layer_norm _fused_rms_norm _softmax _safe_softmax add sub rsub mul div neg bmm mm""".split()
)
APART = frozenset({"convolution", "dense", "activation", "pool"})


def stack(tape: Tape, ops: Iterable[Op], count: int) -> Tape | None:
    """The tape of one sample as that of `count` equal samples, as far as `ops` go; None where one of them cannot be stacked.

    It can where samples are the slowest part of the first axis of every value, and where no operation mixes them or depends on
    how many there are.
    """
    ops = list(ops)
    if tape.samples != 1 or not all(_apart(tape, op) for op in ops):
        return None
    values = [replace(value, tensor=None) if value.tracked else value for value in tape.values]
    stacked = Tape(tape.ops, values, tape.inputs, tape.output, tape.returned, tape.transparent)
    beside = {i for op in ops for i in _statistics(op)}
    read = {i for op in ops for i in (*op.ins, op.out)} | beside  # whose entries rules may look at
    for id in {*tape.inputs, *beside, *(i for op in ops for i in _moved(op))}:
        shape = tape.values[id].shape
        tensor = repeated(tape.value(id), count) if id in read else None
        values[id] = replace(tape.values[id], tensor=tensor, shape=(count * shape[0], *shape[1:]), upper=None, shadows=False)
    changed = {op.index: _repeated_op(stacked, op, count) for op in ops}
    return replace(stacked, ops=tuple(changed.get(op.index, op) for op in tape.ops))


def repeated(t: Tensor, count: int) -> Tensor:
    """A tensor of one sample, `count` times along its first axis; a view where that axis has one entry.

    Example:
        >>> import torch
        >>> repeated(torch.tensor([[1.0, 2.0]]), 3).stride()
        (0, 1)
    """
    many = t.expand(count, *t.shape) if t.shape[0] != 1 else t.expand(count, *t.shape[1:])
    return many if t.shape[0] == 1 else many.reshape(count * t.shape[0], *t.shape[1:])


def _moved(op: Op) -> list[int]:
    """The values along which relevance propagates: not the statistics that a norm returns beside its output."""
    outs = op.outs if op.kind != "norm" else (op.out,)
    return [i for i in (*op.ins, *outs, *op.inner) if i is not None]


def _statistics(op: Op) -> list[int]:
    """The means and spreads of every position that a norm returns beside its output: rules read them."""
    own = op.kind == "norm" and op.name in ("native_layer_norm", "_fused_rms_norm")
    return [i for i in op.outs if i is not None and i != op.out] if own else []


def _apart(tape: Tape, op: Op) -> bool:
    """Whether an operation keeps samples apart along the first axis, whatever their number."""
    moved = _moved(op)
    if not moved or not all(_slowest(tape.values[i]) for i in (*moved, *_statistics(op))):
        return False
    shapes = [tape.values[i].shape for i in moved]
    if op.name in kinds.INDEXED or op.name in ("index_add", "scatter_add"):
        return False
    if op.kind in APART or op.name in kinds.BATCH_NORMS:
        constants = [tape.values[ref.id].shape for ref in op.refs() if not tape.values[ref.id].tracked]
        linear = op.kind in ("convolution", "dense")
        few = len(op.ins) == 1 and all(len(shape) < 3 for shape in constants) if op.kind == "dense" else True
        return few and all(len(shape) > 1 for shape in shapes) and not trains(op) and (linear or _broadcasts(tape, op))
    if op.name in VIEWED:
        return op.name != "expand" or shapes[0][0] == shapes[-1][0]
    return op.name in ROUTED and not (op.kind == "softmax" and op.args[1] % len(shapes[0]) == 0) and _broadcasts(tape, op)


def _slowest(value: Value) -> bool:
    """Whether samples are the slowest part of the first axis."""
    return bool(value.shape) and value.batch == Batch(0, value.shape[0])


def _broadcasts(tape: Tape, op: Op) -> bool:
    """Whether the constants an operation reads are the same for every sample."""
    axes, constants = len(tape.values[op.ins[0]].shape), [ref.id for ref in op.refs() if not tape.values[ref.id].tracked]
    if op.name in kinds.BATCH_NORMS or op.name in ("native_layer_norm", "_fused_rms_norm"):
        return True
    shapes = [tape.values[i].shape for i in constants]
    return all(len(shape) < axes or shape[0] == 1 for shape in shapes)


def _repeated_op(stacked: Tape, op: Op, count: int) -> Op:
    """The same operation for `count` samples."""
    aux = tuple(None if a is None else repeated(a, count) if a.dim() > 1 else a for a in op.aux)
    args = op.args
    if op.name in VIEWED:
        args = (args[0], stacked.values[op.out].shape, *args[2:])
    elif op.name == "cat":  # constants too have to be there for each
        args = (tuple(_for_each(stacked, ref, count) for ref in args[0]), *args[1:])
    return replace(op, args=args, aux=aux)


def _for_each(stacked: Tape, ref: Ref, count: int) -> Ref:
    value = stacked.values[ref.id]
    if value.tracked:
        return ref
    tensor = repeated(stacked.value(ref.id), count)
    stacked.values.append(replace(value, tensor=tensor, shape=tuple(tensor.shape)))
    return Ref(len(stacked.values) - 1)
