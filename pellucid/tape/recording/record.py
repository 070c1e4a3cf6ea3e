"""Recording a tape: every operation of one forward pass, whatever kind of code ran it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.core.draws import DeviceGenerators, is_composite, is_random, really_draws
from pellucid.core.intercept import Mode, NumbersRead, tensor_places, with_tensors
from pellucid.errors import InputError
from pellucid.model.final_activation import BeforeActivation
from pellucid.model.hooks import listening
from pellucid.model.mode import is_opaque
from pellucid.model.outputs import with_batch_axis
from .. import kinds
from ..op import Tape
from ..rewrite.rectifiers import rectifiers
from .complex_numbers import InPairs
from .decompose import encoder, fused_attention, grouped, modulated, noise, observed, recurrent
from .exported_program import ModuleInterpreter, has_modules
from .functional_twin import aten_name
from .irregular_layouts import InDense
from .plain_kernels import plain_kernels
from .quantised import LAYERS, run_quantised
from .recorder import Recorder
from .storage import storage_of

# Fused kernels, by name, and what they compute.
DECOMPOSITIONS = {
    **recurrent.DECOMPOSITIONS, **grouped.DECOMPOSITIONS, **encoder.DECOMPOSITIONS, **fused_attention.DECOMPOSITIONS,
    **noise.DECOMPOSITIONS, **modulated.DECOMPOSITIONS, **observed.DECOMPOSITIONS,
}  # fmt: skip
# What may be recorded as something else than what was called.
SPECIAL = frozenset(
    {
        *DECOMPOSITIONS, *modulated.MODULATED, *LAYERS, *kinds.ADDED_PRODUCTS, *kinds.COMPOUND,
        *("_convolution", "_embedding_bag_forward_only", "scatter"),
    }
)  # fmt: skip


def record(model: Any, *inputs: Tensor, room: int | None = None) -> Tape:
    """The tape of one forward pass of `model` on `inputs`.

    Eager, scripted, traced and exported models, functional and in-place code give the same list of operations.
    Neither the model nor the inputs are changed; the forward pass runs without autograd.

    Arguments:
        model: A `Model`, an `nn.Module` or any callable that computes with PyTorch.
        inputs: Tensors, batch first.
        room: How many bytes of what the operations make are held at a time, see `Retention`: the rest is made again when it is
            read. None: all of them.

    Raises:
        InputError: an input holds NaN or infinity.
        ModelError: the model is in training mode.
        ThreadLost: the output does not descend from the input.

    Example:
        >>> tape = record(nn.Sequential(nn.Linear(2, 3), nn.ReLU()).eval(), torch.ones(1, 2))
        >>> [op.name for op in tape.ops]
        ['addmm', 'relu']
    """
    forward = getattr(model, "forward", model) if not isinstance(model, nn.Module) else model
    module = model if isinstance(model, nn.Module) else getattr(model, "module", None)
    for x in inputs:
        check_finite(x)
    tape, plans = _recorded_before(forward, inputs), getattr(model, "plans", None)
    if tape is None and plans is not None:
        tape = plans.tape(forward, inputs, partial(_recorded, forward, module, inputs, room))
    elif tape is None:
        tape = _recorded(forward, module, inputs, room)
    for observe in _observers.get():
        observe(tape, model, inputs)
    return tape


def _recorded(forward: Callable[..., Any], module: nn.Module | None, inputs: tuple[Tensor, ...], room: int | None) -> Tape:
    """The tape of one forward pass by the network's own code."""
    recorder = Recorder(room)
    with plain_kernels(module), watching(module, recorder):
        copies = [recorder.open(x) for x in inputs]
        run = _followed(forward, recorder)
        output = with_batch_axis(run(*copies), len(copies[0]) if copies and copies[0].dim() else 0)
    return closed(recorder, output, module)


def closed(recorder: Recorder, output: Any, module: nn.Module | None) -> Tape:
    """The tape of a pass that is over."""
    with torch.inference_mode(False), torch.no_grad():
        return rectifiers(recorder.close(output, transparent=not is_opaque(module)))


def _recorded_before(forward: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Tape | None:
    """The tape of this very pass, where one was recorded when a text was embedded; it is handed out once."""
    text = getattr(forward, "__self__", None)
    tapes = getattr(text, "tapes", None)
    return tapes.pop() if tapes and len(inputs) == 1 and inputs[0] is text.rows else None  # type: ignore[union-attr]


Observer = Callable[[Tape, Any, tuple[Tensor, ...]], None]
"""Called with every tape as it is recorded, the model and its inputs."""

_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())


@contextmanager
def observing(*observers: Observer) -> Iterator[None]:
    """Show every tape that is recorded in this block, and this thread, to these functions and no others, before it is used."""
    token = _observers.set(observers)
    try:
        yield
    finally:
        _observers.reset(token)


def _followed(forward: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    """The forward pass, of exported programs with the modules that their operations came from."""
    if isinstance(forward, BeforeActivation):
        return replace(forward, forward=_followed(forward.forward, recorder))
    return ModuleInterpreter(forward, recorder).run if has_modules(forward) else forward


def check_finite(x: Tensor) -> None:
    """Refuse an input that holds NaN or infinity.

    Raises:
        InputError: it does.
    """
    if not x.is_floating_point() or bool(torch.isfinite(x).all()):
        return
    bad = int((~torch.isfinite(x)).sum())
    raise InputError(
        "An explanation of this input", f"{bad} entries of {x.numel()} that are NaN or infinite",
        "nothing can be computed from them", "Clean the input first: torch.nan_to_num, or see where they come from.",
    )  # fmt: skip


@contextmanager
def watching(module: nn.Module | None, recorder: Recorder) -> Iterator[None]:
    """Show a recorder every operation that runs in this block, and which module runs it."""
    with _follow(module, recorder), NumbersRead(recorder.leaves_as_numbers), RecordingMode(recorder):
        yield


@contextmanager
def _follow(module: nn.Module | None, recorder: Recorder) -> Iterator[None]:
    """Tell the recorder which module is running."""
    if module is None:
        yield
        return
    for path, tensor in _owned(module):
        if tensor.layout != torch.strided:
            continue
        recorder.owners[storage_of(tensor)], recorder.names[storage_of(tensor)] = path.rpartition(".")[0], path
    names = {id(child): name for name, child in module.named_modules()}
    with listening(
        names, enter=lambda name, args: recorder.scope.append(name), leave=lambda name, output: recorder.leave(output)
    ):
        yield


def _owned(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer with its path, the last first: of those that share one, the first comes last and counts."""
    if is_opaque(module):
        named = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
        yield from reversed(named)
        return
    for path, child in reversed(list(module.named_modules())):
        for name, tensor in (*child._parameters.items(), *child._buffers.items()):
            if tensor is not None:
                yield f"{path}.{name}" if path else name, tensor


class RecordingMode(Mode):
    """Shows every ATen operation of a forward pass to a recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder, self.generators, self.sparse = recorder, DeviceGenerators(), InDense(recorder)

    def __torch_dispatch__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        places, name, special = _traits(fn)
        args = with_tensors(args, places)
        return self._special(fn, name, args, kwargs) if special else self._recorded(fn, args, kwargs)

    def _special(self, fn: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation that may be made of others, or stand for another."""
        if is_composite(fn):  # left whole by inference tensors and by some exported graphs
            with self:
                return fn.decompose(*args, **kwargs)
        if name == "_convolution":  # what traced programs call
            fn, args, name = torch.ops.aten.convolution.default, args[:9], "convolution"
        elif name == "_embedding_bag_forward_only":  # its twin, of which there is a derivative
            fn, name = torch.ops.aten._embedding_bag.default, "_embedding_bag"
        elif name == "scatter" and "reduce" in kwargs:
            with self:
                return modulated.scattered(*args, **kwargs)
        decompose = DECOMPOSITIONS.get(name)
        if decompose is not None and not _has_out(fn):
            with self:
                return decompose(*args, **kwargs)
        if name in modulated.MODULATED and not fn._schema.is_mutable:
            whole = modulated.decomposition(name, args, self.recorder.tracked)
            if whole is not None:
                with self:
                    return whole(fn, *args, **kwargs)
        if name in LAYERS and self.recorder.tracked(args[0]):
            return run_quantised(self.recorder, self, fn, args)
        added = name in kinds.ADDED_PRODUCTS and self.recorder.tracked(args[0])  # a sum, then, and no bias
        if added or name in kinds.COMPOUND:
            with self:
                return _decomposition(fn)(*args, **kwargs)
        if is_random(fn) and really_draws(fn, args, kwargs):
            fn, kwargs = self.generators.redirected(fn, args, kwargs)
        return self._recorded(fn, args, kwargs)

    def _recorded(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            out = self.recorder.dispatch(fn, args, kwargs)
        except (NotImplementedError, RuntimeError) as error:
            return self.sparse.answer(error, fn, args, kwargs)
        return InPairs(self.recorder, self)(fn, args, kwargs) if out is NotImplemented else out


@cache
def _decomposition(fn: Any) -> Callable[..., Any]:
    """PyTorch's own decomposition of a compound operation."""
    from torch._decomp import get_decompositions

    return get_decompositions([fn])[fn]


@cache
def _traits(fn: Any) -> tuple[tuple[int, ...], str, bool]:
    """An operation: which arguments are tensors and may not be numbers, its name, and whether more than recording may be due.

    One look-up, since every operation of every pass comes by.
    """
    name = aten_name(fn)
    return tensor_places(fn), name, is_composite(fn) or is_random(fn) or name in SPECIAL


@cache
def _has_out(fn: Any) -> bool:
    """Whether an operation writes what it makes into a tensor that it is given."""
    return any(argument.is_out for argument in fn._schema.arguments)
