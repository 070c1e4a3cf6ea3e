"""Walking a tape backwards: gradients or relevance are carried from seeds to the values wanted, one operation at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor

from .local import LocalOp
from .op import Op, Tape

Step = Callable[[LocalOp, tuple[Tensor | None, ...]], "list[Tensor | None]"]
"""One operation: from what is carried to each of its outputs, what each of its tracked inputs gets; None for nothing."""


def path(tape: Tape, starts: Iterable[int]) -> list[Op]:
    """The operations that lie between the inputs and the values `starts`, in the order they ran."""
    reached, ops = set(starts), []
    for op in reversed(tape.ops):
        if reached.intersection(o for o in op.outs if o is not None) and op.kind != "constant":
            ops.append(op)
            reached.update(op.ins if op.signal is None else (op.ins[op.signal],))
    return ops[::-1]


@torch.no_grad()
def walk(tape: Tape, seeds: dict[int, Tensor], step: Step, *, ends: Collection[int], keep: bool = False) -> dict[int, Tensor]:
    """Carry `seeds` back through the tape; what arrived at each of `ends`, and what never moved on.

    Arguments:
        tape: The pass to walk back through.
        seeds: Where the walk starts, and with what, shaped like the value.
        step: One operation, see `Step`.
        ends: The values wanted. The walk goes no further back than the first of them.
        keep: Whether the tape is walked again later; otherwise tensors are freed as the walk passes them.

    Returns:
        By value: what stands at `ends`, and at values the walk did not pass (inputs, for the rest).
    """
    pending, arrived = dict(seeds), {}
    makers = {i: op for op in tape.ops for i in (*op.outs, *op.inner) if i is not None}
    goals = {makers[i].out if i in makers and i in makers[i].inner else i: i for i in ends}
    stop = min((makers[i].index if i in makers else -1 for i in ends), default=-1)
    for op in reversed(tape.ops):
        carried = tuple(pending.pop(o, None) if o is not None else None for o in op.outs)
        for o, c in zip(op.outs, carried, strict=True):
            if c is not None and o in goals:
                arrived[goals[o]] = c
        if op.index == stop:
            break
        if any(c is not None for c in carried):
            for i, share in zip(op.ins, step(LocalOp(tape, op), carried), strict=True):
                if share is not None:
                    pending[i] = pending[i] + share if i in pending else share
        if not keep:
            release(tape, op)
    return {**pending, **arrived}


def chain_rule(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """The step that carries gradients: the vector-Jacobian product of one operation."""
    return op.pull(*carried)


def release(tape: Tape, op: Op) -> None:
    """Free what an operation made: nothing earlier on the tape reads it."""
    for o in (*op.outs, *op.inner):
        if o is None:
            continue
        value = tape.values[o]
        if value.upper is not None:
            tape.values[value.upper].tensor = None
        if not value.shadows:  # else the operation before it may still read it in place of what it overwrote
            value.tensor = None
