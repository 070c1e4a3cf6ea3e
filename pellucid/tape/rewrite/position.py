"""One position: the last layers of a pass of which only one place is read, as where one token of a text is explained."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch

from pellucid.model.outputs import map_leaves
from ..batch import Batch
from ..op import Op, Ref, Tape

ALIKE = frozenset("alias clone _to_copy".split())  # views that leave every entry where it is
ENTRYWISE = ("scale", "shift", "activation")


def at_position(tape: Tape, output: int, position: int, end: int) -> Tape:
    """The same pass whose output has a single position, and so what the last layers read, which compute each on its own.

    What a layer over positions hands back is the same: the others had no part in the score. Of a vocabulary of 262,144 words,
    over 512 tokens, the last layer is two thirds of the work of the way back.

    Arguments:
        output: The value to read, with shape (batch, position, ...).
        position: Which position of it.
        end: The value that relevance is wanted at, which stays whole, and all before it.
    """
    layers = _last_layers(tape, output, end)
    if not layers:
        return tape
    cut = _Cut(tape, position % tape.values[output].shape[1], tape.values[output].shape[1])
    numbers = range(len(tape.ops_by_index), len(tape.ops_by_index) + len(layers) + 1)
    short = [cut.take(layers[0].ins[0], numbers[0], layers[0].module), *map(cut.op, layers, numbers[1:])]
    for op in short:
        cut.values[op.out].producer = op.index
    kept = tuple(op for op in tape.ops if op not in layers)
    returned = map_leaves(tape.output, Ref, lambda ref: Ref(cut.value(output)) if ref.id == output else ref)
    ran = (*tape.ops_by_index, *short)
    return replace(tape, ops=(*kept, *short), recorded=ran, values=cut.values, output=returned, traced=None)


def _last_layers(tape: Tape, output: int, end: int) -> list[Op]:
    """The operations that make the output, as far back as each works at every position alone, in the order they ran."""
    makers = {o: op for op in tape.ops for o in op.outs if o is not None}
    readers = Counter(i for op in tape.ops for i in op.ins)
    found: list[Op] = []
    op = makers.get(output)
    while op is not None and _at_each_position(tape, op) and end not in (*op.outs, *op.inner):
        if readers[op.out] > bool(found):
            break
        found.append(op)
        op = makers.get(op.ins[0])
    while found and found[-1].kind != "dense":  # before a dense layer nothing is saved
        found.pop()
    return found[::-1]


def _at_each_position(tape: Tape, op: Op) -> bool:
    """Whether an operation makes of every position, along the second axis of three, what it would make of it alone."""
    if len(op.ins) != 1 or len(op.outs) != 1:
        return False
    before, after = tape.values[op.ins[0]], tape.values[op.out]
    if len(before.shape) != 3 or before.shape[:2] != after.shape[:2] or before.batch != Batch(0) or after.batch != Batch(0):
        return False
    others = [len(tape.values[ref.id].shape) for ref in op.refs() if ref.id != op.ins[0]]
    if op.kind == "dense":  # a weight on the right, and a bias
        return op.args[-2] == Ref(op.ins[0]) and max(others) == 2 and sum(others) <= 3
    return (op.kind in ENTRYWISE or op.name in ALIKE) and before.shape == after.shape


class _Cut:
    """Values at one position, each made once."""

    def __init__(self, tape: Tape, position: int, length: int) -> None:
        self.tape, self.position, self.length = tape, position, length
        self.values = list(tape.values)
        self._made: dict[int, int] = {}

    def value(self, id: int) -> int:
        """The number of a value at the position."""
        if id not in self._made:
            whole, axis = self.tape.values[id], len(self.tape.values[id].shape) - 2
            tensor = self.tape.value(id).narrow(axis, self.position, 1).clone()
            self._made[id] = len(self.values)
            shape = tuple(tensor.shape)
            self.values.append(replace(whole, tensor=tensor, shape=shape, producer=None, upper=None, shadows=False))
        return self._made[id]

    def take(self, id: int, index: int, module: str) -> Op:
        """The operation that reads the position."""
        args = Ref(id), 1, self.position, self.position + 1
        made = self.value(id)
        return Op(index, torch.ops.aten.slice.Tensor, args, {}, (id,), (made,), "route", "slice", module)

    def op(self, op: Op, index: int) -> Op:
        """An operation at the position. A weight has none."""
        x = op.ins[0]
        read = {ref.id for ref in op.refs() if op.kind != "dense" and self._has_positions(ref.id)} | {x}
        args, kwargs = (
            map_leaves(tree, Ref, lambda ref: Ref(self.value(ref.id)) if ref.id in read else ref) for tree in (op.args, op.kwargs)
        )
        ins, outs = (self.value(x),), (self.value(op.out),)
        return replace(op, index=index, args=args, kwargs=kwargs, ins=ins, outs=outs, inner=(), aux=())

    def _has_positions(self, id: int) -> bool:
        shape = self.tape.values[id].shape
        return len(shape) > 1 and shape[-2] == self.length
