"""Mixtures: `b + w * (a - b)` is w a + (1 - w) b, where w is a gate: how recurrent cells keep some of what they held."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..op import Op, Ref, Tape
from .affine import uses


def mix(tape: Tape) -> Tape:
    """The same tape with every gated step from one value towards another as the weighted sum of both.

    As it was computed, a - b and b may be large and of opposite signs where a and b are alike, and whatever is shared in
    proportion to them is carried by noise. The gate itself gets nothing, as everywhere.
    """
    readers = uses(tape)
    made: dict[int, Op] = {}
    ops: dict[int, Op] = {}
    for op in tape.ops:
        step = _step(made, op)
        if step is not None:
            moved, away, b = step
            if readers[moved.out] == 1 and readers[away.out] == 1:
                del ops[moved.index], ops[away.index]
                op = _mixture(op, moved, away, b)
        ops[op.index] = op
        made.update({o: op for o in op.outs if o is not None})
    return tape.rewritten(tuple(ops.values()))


def _step(made: dict[int, Op], op: Op) -> tuple[Op, Op, int] | None:
    """For b + w * (a - b): the operations that made w * (a - b) and a - b, and b."""
    if op.name != "add" or op.kind != "sum" or op.kwargs.get("alpha", 1) != 1:
        return None
    for moved_id, b in (op.ins, op.ins[::-1]):
        moved = made.get(moved_id)
        if moved is None or moved.kind != "gate" or moved.name != "mul" or moved.signal is None:
            continue
        away = made.get(moved.ins[moved.signal])
        if away is not None and away.name == "sub" and not away.kwargs and away.args[1] == Ref(b):
            return moved, away, b
    return None


def _mixture(op: Op, moved: Op, away: Op, b: int) -> Op:
    assert moved.signal is not None
    (w,) = (arg for arg in moved.args[:2] if arg != Ref(away.out))
    a = away.args[0]  # a constant before the first step
    ins, kind = ((b, a.id), "pool") if away.kind == "sum" else ((b,), "shift")
    inner = (*op.inner, moved.out, away.out)
    return replace(op, fn=torch.ops.aten.lerp.Tensor, name="lerp", args=(Ref(b), a, w), ins=ins, kind=kind, inner=inner)
