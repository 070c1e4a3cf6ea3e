"""Parts: linear operations whose outputs are only added, W x + U h + b, are treated as one linear operation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pellucid.model.outputs import leaves
from ..op import Op, Ref, Tape

ADDED = ("sum", "shift")


def parts(tape: Tape) -> Tape:
    """The same tape with every dense operation marked that is a part of a larger one, and the sums in which the parts meet.

    What a recurrent cell makes of its input and of its state meets in one sum per gate, after it was cut into steps and gates. A
    rule may then treat the sum and its parts as one operation.
    """
    readers: dict[int, list[Op]] = defaultdict(list)
    made: dict[int, Op] = {}
    for op in tape.ops:
        for i in op.ins:
            readers[i].append(op)
        made.update({o: op for o in op.outs if o is not None})
    returned = {ref.id for ref in leaves(tape.output, Ref)}
    sums = {op.index: _sums(op, readers, returned) for op in tape.ops if op.kind == "dense" and len(op.ins) == 1}
    meeting: dict[int | None, list[Op]] = {index: met for index, met in sums.items() if met}
    while lone := [index for index, met in meeting.items() if not _meets_parts(met, made, meeting)]:
        for index in lone:
            del meeting[index]
    joined = {*meeting, *(op.index for met in meeting.values() for op in met)}
    return tape.rewritten(tuple(replace(op, part=True) if op.index in joined else op for op in tape.ops))


def _sums(op: Op, readers: Mapping[int, Sequence[Op]], returned: set[int]) -> list[Op]:
    """The sums that read what an operation made, however it was cut; none if anything else reads it."""
    waiting = [o for o in op.outs if o is not None]
    met: list[Op] = []
    while waiting:
        value = waiting.pop()
        if value in returned:
            return []
        for reader in readers[value]:
            if reader.kind in ADDED:
                met.append(reader)
            elif _hands_on(reader, value):
                waiting += [o for o in reader.outs if o is not None]
            else:
                return []
    return met


def _hands_on(op: Op, value: int) -> bool:
    """Whether an operation cuts a value or lets it through a gate."""
    if op.kind == "gate":
        return op.signal is not None and op.ins[op.signal] == value
    return op.kind == "route" and len(op.ins) == 1


def _meets_parts(met: Iterable[Op], made: Mapping[int, Op], meeting: Mapping[int | None, object]) -> bool:
    """Whether everything else that is added descends from other parts, or is constant; what is added to itself is no such sum."""
    origins = [[_origin(i, made) for i in op.ins] for op in met]
    return all(len(set(of)) == len(of) and meeting.keys() >= set(of) for of in origins)


def _origin(value: int, made: Mapping[int, Op]) -> int | None:
    """The operation that computed a value, before it was cut or gated."""
    while (op := made.get(value)) is not None:
        if op.kind == "gate" and op.signal is not None:
            value = op.ins[op.signal]
        elif op.kind == "route" and len(op.ins) == 1:
            value = op.ins[0]
        else:
            return op.index
    return None
