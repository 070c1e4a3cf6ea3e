"""Which axis of a value counts samples, and which channels."""

from __future__ import annotations

from dataclasses import replace

from pellucid.target.condition import Axes
from ..op import Tape
from .layout import grid, layouts


def axes_of(tape: Tape, id: int, where: str) -> Axes:
    """How a value lies, as far as it follows from the tape.

    Where channels stand is followed from the input on. Where it cannot be followed they stand on axis 1, as in rows and maps, and
    in values with three axes on the last, as in rows of tokens, unless a convolution made them.
    """
    value = tape.values[id]
    batch = value.batch.axis if value.batch is not None and value.batch.every == 1 else None
    ran = replace(tape, ops=tape.ops_by_index)  # rewrites tell views and products as one, in which places cannot be followed
    known = layouts(ran).get(id) if len(value.shape) > 2 else None
    found = None if known is None else grid(known, value, tape.samples)
    if found is not None:
        return Axes(where, value.shape, found.batch, found.channel)
    channel = 2 if len(value.shape) == 3 and not _convolved(tape, id) else 1
    if channel == batch:
        channel = 0
    return Axes(where, value.shape, batch, channel if channel < len(value.shape) else None)


def _convolved(tape: Tape, id: int) -> bool:
    """Whether a convolution made a value, directly or before what keeps its shape."""
    made, shape = {o: op for op in tape.ops for o in (*op.outs, *op.inner) if o is not None}, tape.values[id].shape
    while id in made and tape.values[id].shape == shape:
        op = made[id]
        if op.kind in ("convolution", "dense"):
            return op.kind == "convolution"
        if not op.ins:
            break
        id = op.ins[0]
    return False
