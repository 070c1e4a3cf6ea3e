"""Dense layers over the last axis of wider values: PyTorch flattens what they read, or not, by memory layout and batch size."""

from __future__ import annotations

from dataclasses import replace

from ..batch import VIEWS
from ..op import Op, Ref, Tape
from .affine import uses


def widen(tape: Tape) -> Tape:
    """The same tape with every `view, matrix product, view` as one dense operation along the last axis.

    Its bias, where that is added after the second view, then folds like any other; a batch of one and a larger one read the same,
    and so does one that runs under `torch.vmap`, which puts axes of one entry around a product.
    """
    readers, returned = uses(tape), {i for ids in tape.returned.values() for i in ids}
    made: dict[int, Op] = {}
    ops: dict[int, Op] = {}
    for op in tape.ops:
        dense = made.get(op.ins[0]) if op.name in VIEWS else None
        flat = None if dense is None or dense.kind != "dense" or len(dense.ins) != 1 else made.get(dense.ins[0])
        lone = dense is not None and readers[dense.out] == 1 and not (dense.inner and dense.out in returned)  # its shape is kept
        if dense is not None and flat is not None and lone and _flattens(tape, flat, dense, op):
            del ops[dense.index]
            if readers[flat.out] == 1:
                del ops[flat.index]
            x = flat.ins[0]
            args = tuple(Ref(x) if arg == Ref(dense.ins[0]) else arg for arg in dense.args)
            op = replace(dense, index=op.index, args=args, ins=(x,), outs=op.outs, inner=(*dense.inner, dense.out), aux=())
        elif dense is not None and dense.kind == "dense" and readers[dense.out] == 1 and _same(tape, dense, op):
            del ops[dense.index]
            op = replace(dense, index=op.index, outs=op.outs, inner=(*dense.inner, dense.out), aux=())
        ops[op.index] = op
        made.update({o: op for o in op.outs if o is not None})
    return tape.rewritten(tuple(ops.values()))


def _same(tape: Tape, dense: Op, view: Op) -> bool:
    """Whether a view changes nothing, as those around batched products do."""
    return tape.values[dense.out].shape == tape.values[view.out].shape


def _flattens(tape: Tape, flat: Op, dense: Op, wide: Op) -> bool:
    """Whether `flat` only groups all axes but the last otherwise for a weight on the right, and `wide` takes that back."""
    if flat.name not in VIEWS or len(dense.args) < 2 or dense.args[-2] != Ref(dense.ins[0]):
        return False
    before, rows, made, after = (tape.values[i].shape for i in (flat.ins[0], flat.out, dense.out, wide.out))
    weight = tape.values[dense.args[-1].id].shape
    return len(weight) == 2 and len(before) > 1 and before[-1] == rows[-1] and after == (*before[:-1], made[-1])
