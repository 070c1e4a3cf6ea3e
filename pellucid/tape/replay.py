"""Replay: the rest of a recorded forward pass, computed once more after one value was replaced."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model.outputs import tensors
from pellucid.target import Target
from .op import Op, Tape
from .seed import find_output, places

# Made of the shape of a tensor alone, or drawn anew by the model: the same whatever stands in it.
UNMOVED = frozenset(
    """zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full new_empty
    new_empty_strided empty_strided""".split()
)


@torch.no_grad()
def replay(
    tape: Tape, changes: Mapping[int, Tensor], wanted: Collection[int] | None = None, ops: Sequence[Op] | None = None
) -> dict[int, Tensor]:
    """The values `wanted`, had the values in `changes` been other ones: only operations after them run again.

    The same operations run on the same number of samples, so that the answer is exactly that of a forward pass in which a value
    was replaced. What the model drew at random stays as it was drawn, and so does what its Python code decided.

    Arguments:
        tape: A tape as recorded, not rewritten.
        changes: By value: what to take in its place, in the same shape.
        wanted: Values; None: the model's main output.
        ops: What to run, see `after`, when it is known from an earlier replay of the same values.

    Raises:
        MethodError: the model compares, or picks by, what changed: what it then read is kept on the tape as a constant.

    Example:
        >>> from pellucid.tape import record
        >>> tape = record(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh()), torch.tensor([[-1.0, 2.0]]))
        >>> list(replay(tape, {tape.ops[0].out: torch.zeros(1, 2)}).values())
        [tensor([[0., 0.]])]
    """
    wanted = (find_output(tape),) if wanted is None else wanted
    replaced = dict(changes)

    def get(id: int) -> Tensor:
        return replaced[id] if id in replaced else tape.value(id)

    for op in after(tape, changes, wanted) if ops is None else ops:
        outputs = zip(_places(tape, op), tensors(op.call(get)), strict=True)
        replaced.update({i: t for i, t in outputs if i is not None and i not in changes})
    return {i: replaced[i] if i in replaced else tape.value(i) for i in wanted}


@torch.no_grad()
def rescored(tape: Tape, target: Target, changes: Mapping[int, Tensor], ops: Sequence[Op] | None = None) -> Tensor:
    """A settled target per sample, had the values in `changes` been other ones; `ops` as for `replay`."""
    ids = places(tape, target)
    values = replay(tape, changes, tuple(ids.values()), ops)
    return target.read(lambda at: values[ids[at]])


def after(tape: Tape, changed: Collection[int], wanted: Collection[int]) -> tuple[Op, ...]:
    """The operations that lie between the values `changed` and the values `wanted`, in the order they ran."""
    moved, reached = set(changed), []
    for op in tape.ops:
        if any(ref.id in moved for ref in op.refs()):
            reached.append(op)
            moved.update(i for i in _places(tape, op) if i is not None)
    needed, between = set(wanted) - set(changed), []
    for op in reversed(reached):
        decides = op.kind == "constant" and op.name not in UNMOVED
        if decides and not any(made is not None for made in op.aux):
            raise MethodError(
                "Another value in this forward pass", f"{op.place}, which compares or picks by it",
                "what the model read from that is kept as it was, so that the rest would not be the model's own",
                "Name a later layer, or choose a method that runs the whole model again, such as occlusion.",
            )  # fmt: skip
        if needed.intersection(i for i in _places(tape, op) if i is not None):
            between.append(op)
            needed.update(ref.id for ref in op.refs())
            needed -= set(changed)
    return tuple(reversed(between))


def _places(tape: Tape, op: Op) -> list[int | None]:
    """The values an operation made, one per tensor; indices and the like are found again by the tensor itself."""
    aux = op.aux or (None,) * len(op.outs)
    if not any(made is not None for made in aux):
        return list(op.outs)
    ids_by_tensor = {id(value.tensor): i for i, value in enumerate(tape.values) if not value.tracked and value.tensor is not None}
    return [out if out is not None else ids_by_tensor.get(id(made)) for out, made in zip(op.outs, aux, strict=True)]
