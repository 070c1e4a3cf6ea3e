"""What a tape is made of: values, and the operations that made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.model.outputs import leaves
from .batch import Batch, SampleAxis


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands for a value among the arguments of an operation."""

    id: int


@dataclass(slots=True, eq=False)
class Value:
    """One tensor, as it was when it was made.

    Arguments:
        tensor: What it held; None when it was overwritten in place, or let go, and can be made again by its operation.
        shape: Its shape.
        tracked: Whether it descends from the input.
        batch: Where the samples lie, or None when they follow no pattern.
        irregular: Where they lie then, or None when that is not known.
        producer: The number of the operation that made it; None for inputs and constants.
        upper: When overwritten by an in-place ReLU, the value that took its place (equal to it wherever positive).
        shadows: Whether it is the `upper` of another value.
        nonnegative: Whether all entries are known to be at least zero, from the operation that made it.
        is_parameter: Whether it is a parameter or a buffer of the model, not computed.
        name: The path of the parameter or buffer that it is, or was computed from: "cls_token".
        lost_at: Of a constant that was computed from the input all the same, the number of the operation where the thread was
            lost: whole numbers made of real ones, quantised values.
        empty: Where it was let go while the pass was recorded, an empty tensor of its type; it is let go again after use.
    """

    tensor: Tensor | None
    shape: tuple[int, ...]
    tracked: bool
    batch: Batch | None = None
    producer: int | None = None
    upper: int | None = None
    shadows: bool = False
    nonnegative: bool = False
    irregular: SampleAxis | None = None
    is_parameter: bool = False
    name: str = ""
    lost_at: int | None = None
    empty: Tensor | None = None

    @property
    def sample_axis(self) -> SampleAxis | None:
        """Where the samples lie, regularly or not."""
        return self.irregular if self.batch is None else self.batch


@dataclass(frozen=True, slots=True)
class Affine:
    """z -> scale * z + shift, per channel, folded into the linear operation before it. Tensors broadcast against z."""

    scale: Tensor | None = None
    shift: Tensor | None = None

    def then(self, scale: Tensor | None = None, shift: Tensor | None = None) -> Affine:
        """This map followed by another one."""
        s, t = self.scale, self.shift
        if scale is not None:
            s = scale if s is None else s * scale
            t = None if t is None else t * scale
        if shift is not None:
            t = shift if t is None else t + shift
        return Affine(s, t)


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation of a forward pass.

    Arguments:
        index: Its place in the order of execution.
        fn: The ATen operation, in its functional form where the model ran an in-place one.
        args, kwargs: Its arguments, with `Ref` for every tensor.
        ins: The tracked values it read, in the order of its arguments.
        outs: The tracked values it made; None for outputs that do not descend from the input, as the indices of max-pooling.
        aux: Those other outputs themselves.
        kind: What it is, see `kinds`.
        name: The ATen name, "convolution", "relu".
        module: The module it ran in: "layer1.0.conv2".
        affine, pad: What rewrites folded into a linear operation.
        signal: For a product one of whose operands is a gate: which of `ins` carries the signal.
        part: Whether what it made is only added to what other linear operations made, as the input's and the state's share of a
            gate.
        inner: Values swallowed by a rewrite; their relevance is that of the output.
    """

    index: int
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    ins: tuple[int, ...]
    outs: tuple[int | None, ...]
    kind: str
    name: str
    module: str
    aux: tuple[Tensor | None, ...] = ()
    affine: Affine | None = None
    pad: tuple[int, ...] | None = None
    signal: int | None = None
    part: bool = False
    inner: tuple[int, ...] = ()

    @property
    def out(self) -> int:
        """The first tracked value it made."""
        return next(o for o in self.outs if o is not None)

    @property
    def place(self) -> str:
        """Where a user would look for it: "convolution in layer1.0.conv2"."""
        return f"{self.name} in {self.module}" if self.module else f"{self.name} in the model itself"

    def call(self, get: Callable[[int], Any]) -> Any:
        """The operation on what `get` makes of the ids of values among its arguments."""
        return self.fn(*fill(self.args, get), **{k: fill(v, get) for k, v in self.kwargs.items()})

    def refs(self) -> Iterator[Ref]:
        """Every value among its arguments, tracked or constant."""
        return leaves((self.args, self.kwargs), Ref)


def fill(arg: Any, get: Callable[[int], Any]) -> Any:
    """`arg` with every `Ref` replaced by what `get` makes of its id."""
    if isinstance(arg, Ref):
        return get(arg.id)
    if isinstance(arg, (tuple, list)):
        return [fill(item, get) for item in arg]
    return arg


@dataclass(frozen=True, eq=False)
class Tape:
    """What ran, in order, between the input and the output of one forward pass.

    Arguments:
        ops: The operations that touched something that descends from the input.
        values: All values they read or made, by id.
        inputs: The ids of the model's inputs.
        output: What the model returned, with `Ref` for every tensor.
        returned: For every module path, the values that the module returned, one per call.
        transparent: Whether module boundaries could be seen; not so in scripted and compiled code.
        recorded: The operations as they ran, when `ops` was rewritten.
        numbers: Where values that descend from the input left PyTorch as Python numbers or arrays: "item in pool".
        traced: The pass of a plan that it is, see `plan`; None: it was recorded from the network itself, or changed since.
    """

    ops: tuple[Op, ...]
    values: list[Value]
    inputs: tuple[int, ...]
    output: Any
    returned: dict[str, tuple[int, ...]] = field(default_factory=dict)
    transparent: bool = True
    recorded: tuple[Op, ...] = ()
    numbers: tuple[str, ...] = ()
    traced: Any = None

    @property
    def samples(self) -> int:
        """How many samples the batch has."""
        shape = self.values[self.inputs[0]].shape
        return shape[0] if shape else 1

    def value(self, id: int) -> Tensor:
        """The tensor, made again by its operation if the model has overwritten it since, or if it was let go."""
        value = self.values[id]
        if value.tensor is None:
            for op in self._missing(id):
                self._run_again(op)
        assert value.tensor is not None
        return value.tensor

    def like(self, id: int) -> Tensor:
        """A tensor of the type of a value, and on its device; its entries mean nothing."""
        value = self.values[id]
        return value.empty if value.tensor is None and value.empty is not None else self.value(id)

    def _missing(self, id: int) -> list[Op]:
        """The operations that have to run again for a value, in the order they ran. No recursion: they may be thousands."""
        waiting, found = [id], {}
        while waiting:
            value = self.values[waiting.pop()]
            if value.tensor is None:
                assert value.producer is not None, "a value without its tensor has an operation that made it"
                if value.producer not in found:
                    found[value.producer] = op = self.ops_by_index[value.producer]
                    waiting += [ref.id for ref in op.refs()]
        return [found[index] for index in sorted(found)]

    def replay(self, op: Op, id: int) -> Tensor:
        """What `op` made as value `id`, computed once more."""
        return self._results(op)[op.outs.index(id)]

    def _run_again(self, op: Op) -> None:
        for o, result in zip(op.outs, self._results(op), strict=False):
            if o is not None and self.values[o].tensor is None:
                self.values[o].tensor = result

    @torch.no_grad()
    def _results(self, op: Op) -> list[Tensor]:
        made = op.call(self.value)
        return [made] if isinstance(made, Tensor) else [m for m in made if isinstance(m, Tensor)]

    @property
    def ops_by_index(self) -> tuple[Op, ...]:
        return self.recorded or self.ops

    def rewritten(self, ops: tuple[Op, ...]) -> Tape:
        """The same pass with rewritten operations; values keep the operations that really made them."""
        return replace(self, ops=ops, recorded=self.ops_by_index, traced=None)

    def show(self) -> str:
        """A readable list of what ran, a line per operation: number, kind, name, shape of what it made, module."""
        rows = [(str(op.index), op.kind, op.name, self._shapes(op.outs), op.module) for op in self.ops]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(5)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _shapes(self, ids: tuple[int | None, ...]) -> str:
        return ", ".join("x".join(map(str, self.values[i].shape)) or "scalar" for i in ids if i is not None)
