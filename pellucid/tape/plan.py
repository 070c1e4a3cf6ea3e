"""Plans: the tapes of a network, and the steps back through them, as programs that were traced once.

A plan runs what was recorded, without the network's own code and without anything that watches it. It notices when parameters,
buffers, modes or hooks of the network have changed, and begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pellucid.core.program import NO_LINE, Program, Untraceable, depends_on_inputs
from pellucid.model.final_activation import BeforeActivation
from pellucid.model.outputs import tensors
from .op import Op, Tape, Value
from .rewrite import rewrite

T = TypeVar("T")
ATTRIBUTES = [field.name for field in fields(Value) if field.name != "tensor"]
FORWARDS = 8  # forward passes of one network that are kept: as it is, up to the scores before its last activation
STEPS = 16  # programs for each operation: by rule, and by where relevance comes from


class Plans:
    """What was traced of one network; it is filled as it is used.

    Arguments:
        module: The network.
    """

    def __init__(self, module: nn.Module | None = None) -> None:
        self.module = module
        self._programs: dict[Any, Program] = {}
        self._state: Any = None

    @property
    def refused(self) -> str:
        """Why no program can be made of it; "" where one can."""
        return next((program.refused for program in self._programs.values() if program.refused), "")

    @property
    def programs(self) -> tuple[Program, ...]:
        """Those of its forward passes."""
        return tuple(self._programs.values())

    def tape(self, forward: Callable[..., Any], inputs: Sequence[Tensor], recorded: Callable[[], Tape]) -> Tape:
        """The tape of a pass, as the network's own code would make it.

        Arguments:
            recorded: Runs that code, and records it.
        """
        if torch._C._len_torch_dispatch_stack() or any(torch.is_autocast_enabled(x.device.type) for x in inputs):
            return recorded()  # somebody else watches, or the network computes otherwise here
        state = _state(self.module)
        if state != self._state:
            self._programs, self._state = {}, state
        if len(self._programs) >= FORWARDS:
            self._programs = {}
        program = self._programs.setdefault(_key(forward), Program(forms=len(inputs)))
        found = program.run(inputs)
        if found is NO_LINE:
            try:
                found = program.traced(lambda: _taken_apart(recorded()), inputs)
            except Untraceable:
                return recorded()
        skeleton, held = found
        return Pass(skeleton, held).tape


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A tape, and its rewritten twin, without the numbers of one pass.

    Arguments:
        tape, rewritten: Their values have no tensors.
        beside: The operations with outputs that do not descend from the input, such as the places of maxima.
        dynamic: The values whose numbers go by the input.
        steps: The programs of steps back, by operation and rule.
        fitted: What follows from the operations alone, by what it was made for.
    """

    tape: Tape
    rewritten: Tape
    beside: tuple[Op, ...]
    dynamic: frozenset[int]
    steps: dict[Any, Program] = field(default_factory=dict)
    fitted: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def attributes(self) -> list[tuple[Any, ...]]:
        """Those of every value but its tensor."""
        return [tuple(getattr(value, name) for name in ATTRIBUTES) for value in self.tape.values]


class Pass:
    """One pass of a plan: the tapes with its numbers.

    Arguments:
        held: The tensors of all values, and those beside them.
    """

    def __init__(self, skeleton: Skeleton, held: Sequence[Tensor | None]) -> None:
        self.skeleton = skeleton
        self.values = [Value(t, *attributes) for t, attributes in zip(held, skeleton.attributes, strict=False)]
        self.beside = held[len(self.values) :]
        supply, own = iter(self.beside), dict[int, Op]()
        for op in skeleton.beside:
            own[id(op)] = replace(op, aux=tuple([next(supply) for _ in op.aux]))
        self.tape = self._filled(skeleton.tape, own)
        self.rewritten = self._filled(skeleton.rewritten, own)

    def _filled(self, tape: Tape, own: dict[int, Op]) -> Tape:
        ops, recorded = (tuple([own.get(id(op), op) for op in part]) if own else part for part in (tape.ops, tape.recorded))
        return replace(tape, ops=ops, recorded=recorded, values=self.values, traced=self)


def from_program(tape: Tape, key: Hashable, given: tuple[Tensor | None, ...], function: Callable[[], T]) -> T:
    """What a function of some tensors and of the values of a tape returns, from its program where the tape is that of a plan.

    Arguments:
        key: What the function goes by besides.
        given: The tensors.
    """
    if tape.traced is None:
        return function()
    skeleton, values, many = tape.traced.skeleton, tape.values, len(given)
    if key not in skeleton.steps and len(skeleton.steps) >= STEPS * len(tape.ops):
        return function()
    program = skeleton.steps.get(key)
    if program is None:
        program = skeleton.steps[key] = Program(many, Tensor.stride)  # shapes and types go by the operations

    def read(place: int) -> Tensor | None:
        if place < many:
            return given[place]
        value = place - many
        if value >= len(values):
            return tape.traced.beside[value - len(values)]  # type: ignore[no-any-return]
        held = values[value].tensor
        return tape.value(value) if held is None else held

    found = program.run(read)
    if found is NO_LINE:
        dynamic = [value.tensor if i in skeleton.dynamic else None for i, value in enumerate(values)]
        try:
            found = program.traced(lambda: _with_values_made(tape, function), (*given, *dynamic, *tape.traced.beside))
        except Untraceable:
            return function()
    returned, made = found
    for i, tensor in made.items():
        values[i].tensor = tensor
    return returned  # type: ignore[no-any-return]


def _with_values_made(tape: Tape, function: Callable[[], T]) -> tuple[T, dict[int, Tensor]]:
    """What a function returns, and the values that had to be made again for it."""
    missing = [i for i, value in enumerate(tape.values) if value.tensor is None]
    returned = function()
    return returned, {i: t for i in missing if (t := tape.values[i].tensor) is not None}


def fitted(tape: Tape, key: Callable[[], Hashable], make: Callable[[], T]) -> T:
    """What follows from the operations of a tape alone; made once where it is that of a plan.

    Arguments:
        key: What it goes by besides.
    """
    if tape.traced is None:
        return make()
    known = tape.traced.skeleton.fitted
    try:
        name = key()
        hash(name)
    except TypeError:  # of a third party
        return make()
    if name not in known:
        known[name] = make()
    return known[name]  # type: ignore[no-any-return]


def _taken_apart(tape: Tape) -> tuple[Skeleton, tuple[Tensor | None, ...]]:
    """The skeleton of a pass that is being traced, and its tensors.

    Raises:
        Untraceable: something else than its values holds numbers of the pass.
    """
    short = rewrite(tape)
    if tape.numbers:
        raise Untraceable(f"it reads numbers ({', '.join(tape.numbers[:2])})")
    if any(value.empty is not None for value in tape.values):
        raise Untraceable("what it makes does not fit into memory at once")
    if any(value.irregular is not None for value in tape.values):
        raise Untraceable("its samples follow no pattern")
    ops = {id(op): op for op in (*tape.ops, *tape.recorded, *short.ops, *short.recorded)}
    if any(depends_on_inputs(t) for op in ops.values() for t in tensors((op.args, op.kwargs, op.affine))):
        raise Untraceable("its weights are made from its input")
    beside = {key: op for key, op in ops.items() if any(t is not None for t in op.aux)}
    bare = {key: replace(op, aux=(None,) * len(op.aux)) for key, op in beside.items()}
    values = [replace(value, tensor=None) for value in tape.values]
    whole, rewritten = (
        replace(one, values=values, ops=_changed(one.ops, bare), recorded=_changed(one.recorded, bare)) for one in (tape, short)
    )
    dynamic = frozenset(i for i, value in enumerate(tape.values) if value.tensor is None or depends_on_inputs(value.tensor))
    held = (*[value.tensor for value in tape.values], *[t for op in beside.values() for t in op.aux])
    return Skeleton(whole, rewritten, tuple(bare.values()), dynamic), held


def _changed(ops: tuple[Op, ...], changed: dict[int, Op]) -> tuple[Op, ...]:
    return tuple([changed.get(id(op), op) for op in ops])


def _state(module: nn.Module | None) -> list[Any]:
    """All that a plan holds of a network: its parameters and buffers, as they are now, its modes and its hooks."""
    waiting: list[nn.Module | None] = [module]
    state: list[Any] = []
    while waiting:
        m = waiting.pop()
        if m is None:
            continue
        state += (id(m), m.training, len(m._forward_hooks), len(m._forward_pre_hooks))
        for held in (m._parameters, m._buffers):
            for t in held.values():
                if t is not None and t.layout == torch.strided and not t.is_inference():
                    state += (id(t), t.data_ptr(), t._version)
        waiting += m._modules.values()
    return state


def _key(forward: Callable[..., Any]) -> Hashable:
    return ("scores", forward.forward) if isinstance(forward, BeforeActivation) else forward
