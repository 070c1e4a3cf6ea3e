"""The tracer: what a function of tensors did, as calls to PyTorch in the order they ran, and the numbers that it looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..draws import is_composite, is_random, really_draws
from ..intercept import Mode, NumbersRead, aside, tensor_places, with_tensors

aten = torch.ops.aten
SAME = frozenset({aten.detach.default, aten.alias.default, aten.lift_fresh.default})  # return what they were given
F = TypeVar("F", bound=Callable[..., Any])


class Untraceable(Exception):
    """Why a function is no straight line of calls."""


class _Nothing:
    """No answer: the call returns tensors."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands for a tensor that is made, or given, anew each time."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call.

    Arguments:
        fn: What was called: an operation of ATen, or a function that decides something.
        args, kwargs: Its arguments, with `Slot` for tensors that are made anew; other tensors are constants, and stand here.
        outs: The slots of the tensors that it returned.
        single: Whether it returned a tensor, not several.
        answer: What it returned, where that is no tensor: the code went on by it.
        writes: The slots whose memory it overwrites.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outs: tuple[int | None, ...]
    single: bool = True
    answer: Any = NOTHING
    writes: tuple[int, ...] = ()

    @property
    def reads(self) -> Iterator[int]:
        """The slots among its arguments."""
        return slots((self.args, self.kwargs))


@dataclass(frozen=True, eq=False)
class Line:
    """All calls of one run of a function.

    Arguments:
        calls: In the order they ran.
        result: What the function returned, with `Slot` for tensors that are made anew.
        given: How many slots are inputs: the first ones.
        roots: For each slot, the first one in the same memory.
        written: The roots of memory that is written to.
        constants: What was made without the inputs, by its slot.
    """

    calls: tuple[Call, ...]
    result: Any
    given: int
    roots: tuple[int, ...]
    written: frozenset[int]
    constants: dict[int, Tensor] = field(repr=False)


def trace(function: Callable[[], Any], inputs: Sequence[Tensor | None]) -> tuple[Any, Line]:
    """What a function returns, and the line of its calls.

    Arguments:
        inputs: Tensors that the function may read, and that are others each time; what else it reads is constant.

    Raises:
        Untraceable: it draws random numbers, writes into tensors that are not its own, or reads numbers unseen.
    """
    tracer = Tracer(inputs)
    token = _tracer.set(tracer)
    try:
        with tracer, NumbersRead(_refuse):
            returned = function()
    finally:
        _tracer.reset(token)
    return returned, tracer.line(returned)


_tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


def decision(function: F) -> F:
    """Marks a function of tensors that returns no tensor, by which code goes on: a trace holds as long as it says the same."""

    @wraps(function)
    def decide(*args: Any) -> Any:
        tracer = _tracer.get()
        return function(*args) if tracer is None else tracer.decide(function, args)

    return decide  # type: ignore[return-value]


def depends_on_inputs(t: Tensor) -> bool:
    """Whether a tensor of the function that is being traced descends from its inputs, or was written to."""
    tracer = _tracer.get()
    return tracer is not None and tracer.is_dynamic(t)


class Tracer(Mode):
    """Writes down every operation that runs. All tensors are held to the end, so that none takes the place of another."""

    def __init__(self, inputs: Sequence[Tensor | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.given = len(inputs)
        self._held: list[Tensor] = []
        self._tensors: list[Tensor | None] = []  # by slot
        self._roots: list[int] = []
        self._dynamic: list[bool] = []
        self._written: set[int] = set()
        self._slots: dict[int, int] = {}  # id of a tensor -> its slot
        self._constants: dict[int, Tensor] = {}
        self._places: dict[Any, int] = {}  # where a tensor lies, and in what form -> its slot
        self._memory: dict[int, int] = {}  # where memory begins -> the first slot in it
        for x in inputs:
            self._new(x, dynamic=True)

    # -- what is known of tensors -----------------------------------------------------------------------------------------

    def _new(self, t: Tensor | None, *, dynamic: bool) -> int:
        slot = len(self._tensors)
        self._tensors.append(t)
        self._roots.append(slot)
        self._dynamic.append(dynamic)
        if t is None:
            return slot
        self._held.append(t)
        self._slots[id(t)] = slot
        if t.numel():
            self._roots[slot] = self._memory.setdefault(_memory(t), slot)
            self._places.setdefault(_place(t), slot)
        return slot

    def _known(self, t: Tensor) -> int | None:
        """The slot of a tensor, also where autograd hands it on as another object."""
        slot = self._slots.get(id(t))
        if slot is None and t.numel() and id(t) not in self._constants:
            slot = self._places.get(_place(t))
            if slot is not None:
                self._held.append(t)
                self._slots[id(t)] = slot
        return slot

    def reference(self, t: Tensor) -> Slot | Tensor:
        """What stands for a tensor in the line."""
        if t.layout != torch.strided:
            raise Untraceable(f"it computes with {str(t.layout).removeprefix('torch.')} tensors")
        slot = self._known(t)
        if slot is not None:
            return Slot(slot)
        root = self._memory.get(_memory(t)) if t.numel() else None
        if root is None:
            self._constants[id(t)] = t
            return t
        base = self._tensors[root]
        if base is None or base.dtype != t.dtype:
            raise Untraceable("it reads memory in two ways")
        slot = self._new(t, dynamic=self._dynamic[root])
        where = (list(t.shape), list(t.stride()), t.storage_offset())
        self.calls.append(Call(aten.as_strided.default, (Slot(root), *where), {}, (slot,)))
        return Slot(slot)

    def is_dynamic(self, t: Tensor) -> bool:
        slot = self._known(t)
        root = self._memory.get(_memory(t)) if slot is None and t.numel() else None
        return any(self._dynamic[n] or self._roots[n] in self._written for n in (slot, root) if n is not None)

    # -- what ran ---------------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if is_composite(fn):
            with self:
                return fn.decompose(*args, **kwargs)
        if is_random(fn) and really_draws(fn, args, kwargs):
            raise Untraceable("it draws random numbers")
        args = with_tensors(args, tensor_places(fn))
        refs = self._refs(args), {name: self._refs(arg) for name, arg in kwargs.items()}
        out = fn(*args, **kwargs)
        if fn in SAME and isinstance(refs[0][0], Slot):
            self._held.append(out)
            self._slots[id(out)] = refs[0][0].number
            return out
        self._append(fn, *refs, out)
        return out

    def _append(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        made = [out] if isinstance(out, Tensor) else list(out) if isinstance(out, (tuple, list)) else []
        writes = self._writes(fn, args, kwargs)
        if not any(isinstance(t, Tensor) for t in made) and not writes:
            if made or out is not None:
                self.calls.append(Call(fn, args, kwargs, (), answer=out))
            return
        dynamic = any(self._dynamic[slot] for slot in slots((args, kwargs)))
        outs: list[int | None] = []
        for t in made:
            known = self._slots.get(id(t)) if isinstance(t, Tensor) else None
            outs.append(known if known is not None or not isinstance(t, Tensor) else self._new(t, dynamic=dynamic))
        self.calls.append(Call(fn, args, kwargs, tuple(outs), isinstance(out, Tensor), writes=writes))
        if torch.Tag.dynamic_output_shape in fn.tags:
            for t, slot in zip(made, outs, strict=True):
                if slot is not None:
                    self.calls.append(Call(shape, (Slot(slot),), {}, (), answer=tuple(t.shape)))

    def decide(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """A decision that the code goes on by."""
        refs = self._refs(args)
        with aside(), torch._C.DisableTorchFunction():
            answer = function(*args)
        self.calls.append(Call(function, refs, {}, (), answer=answer))
        return answer

    def _refs(self, tree: Any) -> Any:
        return mapped(tree, Tensor, self.reference)

    def _writes(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
        """The slots that an operation writes to."""
        if not fn._schema.is_mutable:
            return ()
        found = []
        for place, name in _written(fn):
            target = kwargs.get(name, args[place] if place < len(args) else None)
            for one in target if isinstance(target, (tuple, list)) else [target]:
                if isinstance(one, Tensor):
                    raise Untraceable("it writes into a tensor that it keeps")
                if isinstance(one, Slot):
                    found.append(one.number)
        roots = {self._roots[slot] for slot in found}
        if any(root < self.given for root in roots):
            raise Untraceable("it overwrites its input")
        self._written |= roots
        return tuple(found)

    def line(self, returned: Any) -> Line:
        """The line, once the function has returned."""
        result = mapped(returned, Tensor, self.reference)
        constants = {n: t for n, t in enumerate(self._tensors) if t is not None and not self._dynamic[n]}
        return Line(tuple(self.calls), result, self.given, tuple(self._roots), frozenset(self._written), constants)


def _refuse(t: Tensor, how: str) -> None:
    """Numbers are read that no operation shows."""
    raise Untraceable("it reads tensors as lists or arrays")


def shape(t: Tensor) -> tuple[int, ...]:
    """The shape of what an operation made whose shape goes by its numbers."""
    return tuple(t.shape)


def mapped(tree: Any, kind: type | tuple[type, ...], change: Callable[[Any], Any]) -> Any:
    """Nested arguments or results with everything of a kind changed; containers stay what they are.

    Example:
        >>> mapped((1, [2.0, {"a": 3}]), int, lambda n: n + 1)
        (2, [2.0, {'a': 4}])
    """
    if isinstance(tree, kind):
        return change(tree)
    if type(tree) in (list, tuple):
        return type(tree)([mapped(item, kind, change) for item in tree])
    if type(tree) is dict:
        return {key: mapped(item, kind, change) for key, item in tree.items()}
    return tree


def slots(tree: Any) -> Iterator[int]:
    """The numbers of all slots inside."""
    if isinstance(tree, Slot):
        yield tree.number
    elif type(tree) in (list, tuple):
        for item in tree:
            yield from slots(item)
    elif type(tree) is dict:
        yield from slots(list(tree.values()))


@cache
def _written(fn: Any) -> tuple[tuple[int, str], ...]:
    """The arguments that an operation writes to: their places and names."""
    arguments = enumerate(fn._schema.arguments)
    return tuple((n, a.name) for n, a in arguments if a.alias_info is not None and a.alias_info.is_write)


def _memory(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()


def _place(t: Tensor) -> tuple[Any, ...]:
    return t.data_ptr(), t.shape, t.stride(), t.dtype, t.is_conj(), t.is_neg()
