"""Lines: the operations that ran for each sample, where a program runs some of them for a part of the batch only."""

from __future__ import annotations

from collections.abc import Sequence

from .op import Op, Tape
from .recording.irregular_samples import IrregularSamples


def lines(tape: Tape, ops: Sequence[Op]) -> list[Sequence[Op]]:
    """The operations of each sample, in the order in which they ran; one list, if those of all samples are the same.

    A loop over the samples of a batch runs the same layers again for each: what is the last layer of a sample is told by its own
    line, as if it had come alone.

    Example:
        >>> import torch
        >>> from pellucid.tape import path, record
        >>> tape = record(lambda x: torch.stack([row.tanh() for row in x]).sum(1), torch.ones(2, 3))
        >>> [[op.name for op in line] for line in lines(tape, path(tape, [tape.ops[-1].out]))]
        [['unbind', 'tanh', 'stack', 'sum'], ['unbind', 'tanh', 'stack', 'sum']]
    """
    ops = [op for op in ops if not _is_empty(tape, op)]
    if tape.samples == 1:
        return [ops]
    parts = {op.index: samples for op in ops if (samples := part_of_batch(tape, op)) is not None}
    if not parts:
        return [ops]
    rest = frozenset(range(tape.samples))
    return [[op for op in ops if n in parts.get(op.index, rest)] for n in range(tape.samples)]


def _is_empty(tape: Tape, op: Op) -> bool:
    """Whether an operation made nothing, as the expert that no sample was sent to."""
    return all(out is None or 0 in tape.values[out].shape for out in op.outs)


def part_of_batch(tape: Tape, op: Op) -> frozenset[int] | None:
    """The samples an operation ran for; None where it ran for all, or for nobody knows which."""
    samples: set[int] = set()
    for out in op.outs:
        lie = None if out is None else tape.values[out].irregular
        if out is not None and (tape.values[out].batch is not None or not isinstance(lie, IrregularSamples)):
            return None
        if isinstance(lie, IrregularSamples):
            samples.update(lie.present)
    return None if len(samples - {-1}) == tape.samples or not samples - {-1} else frozenset(samples - {-1})
