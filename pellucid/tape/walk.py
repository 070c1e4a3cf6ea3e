"""Walking a tape backwards: gradients or relevance are carried from seeds to the values wanted, one operation at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor

from .local import LocalOp
from .op import Op, Tape, Value

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
    passing = Passing(tape, keep)
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
        passing.free(op)
    return {**pending, **arrived}


def chain_rule(op: LocalOp, carried: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """The step that carries gradients: the vector-Jacobian product of one operation."""
    return op.pull(*carried)


class Passing:
    """Frees what operations made once a walk has passed them: nothing earlier on the tape reads it.

    Arguments:
        keep: Whether the tape is walked again: then only what can be made again, and was let go before, is freed.
    """

    def __init__(self, tape: Tape, keep: bool) -> None:
        self.tape, self.keep, self.left = tape, keep, len(tape.ops_by_index)

    def free(self, op: Op) -> None:
        """Free all that was made by this operation and those after it, also by such as rewrites took out of the way."""
        for ran in self.tape.ops_by_index[op.index : self.left]:
            for o in ran.outs:
                if o is not None:
                    self._free(self.tape.values[o])
        self.left = min(self.left, op.index)

    def _free(self, value: Value) -> None:
        if not self.keep:
            release(self.tape, value)
        elif value.empty is not None:
            value.tensor = None


def release(tape: Tape, value: Value) -> None:
    """Free a value that nothing earlier on the tape reads."""
    if value.upper is not None:
        tape.values[value.upper].tensor = None
    if not value.shadows:  # else the operation before it may still read it in place of what it overwrote
        value.tensor = None
