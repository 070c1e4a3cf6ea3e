"""Random numbers that a network draws: from generators of our own, so that neither this thread's state nor another's moves.

PyTorch has one random state for the whole process. To save it before a forward pass and to put it back afterwards would also take
back what other threads have drawn in the meantime; so the operations that draw are given a generator of ours instead.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .intercept import Mode, tensor_places, with_tensors

ONE_AT_A_TIME = threading.Lock()  # the few operations that draw and take no generator
KEEPS = frozenset({"dropout_p", "dropout", "p"})  # shares that are dropped: none of nothing


class DeviceGenerators:
    """One generator per device, which starts where the global one stands when it is first needed, or at a seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __bool__(self) -> bool:
        """Whether anything was drawn."""
        return bool(self._generators)

    def call(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation that draws, with numbers of ours."""
        device = _device(args, kwargs)
        if kwargs.get("generator") is not None or device.type not in ("cpu", "cuda"):
            return fn(*args, **kwargs)
        fn, kwargs = self.redirected(fn, args, kwargs)
        if "generator" in kwargs:
            return fn(*args, **kwargs)
        generator = self._generator(device)
        with ONE_AT_A_TIME, torch.random.fork_rng([device] if device.type == "cuda" else []):
            _set_state(device, generator.get_state())
            made = fn(*args, **kwargs)
            generator.set_state(_state(device))
        return made

    def redirected(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The same operation with a generator of ours among its arguments, where it takes one."""
        device, twin = _device(args, kwargs), _with_generator(fn)
        if twin is None or kwargs.get("generator") is not None or device.type not in ("cpu", "cuda"):
            return fn, kwargs
        return twin, {**kwargs, "generator": self._generator(device)}

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            generator = torch.Generator(device)
            self._generators[device] = generator
            if self.seed is None:
                generator.set_state(_state(device))
            else:
                generator.manual_seed(self.seed)
        return self._generators[device]


class DrawingMode(Mode):
    """Every operation as it is, but those that draw random numbers draw ours."""

    supports_higher_order_operators = True

    def __init__(self, generators: DeviceGenerators) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generators, self.process = generators, os.getpid()

    def __torch_dispatch__(self, fn: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        args, kwargs = with_tensors(args, tensor_places(fn)), kwargs or {}
        if not is_random(fn) or os.getpid() != self.process:  # a worker of a data loader seeds its own
            return fn(*args, **kwargs)
        if is_composite(fn):
            with self:
                return fn.decompose(*args, **kwargs)
        return self.generators.call(fn, args, kwargs) if really_draws(fn, args, kwargs) else fn(*args, **kwargs)


@contextmanager
def drawing_apart(network: object, device: torch.device) -> Iterator[None]:
    """A block in which `network` runs and after which the global random numbers go on as if it had drawn none.

    Most networks draw nothing; what is known of one is remembered as long as it lives, so that only those that draw, and in a
    program of several threads the first pass of any, run under a mode that watches them.

    Example:
        >>> _, noise = torch.manual_seed(0), torch.nn.Dropout()
        >>> with drawing_apart(noise, torch.device("cpu")):
        ...     _ = noise(torch.ones(9))
        >>> torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(0)))
        True
    """
    drew, alone = _KNOWN.get(network), _alone()
    if drew or (drew is None and not alone):
        generators = DeviceGenerators()
        with DrawingMode(generators):
            yield
        _KNOWN.note(network, bool(drew or generators))
        return
    devices = [torch.device("cpu"), device] if device.type == "cuda" else [device]
    before = [_state(d) for d in devices]
    try:
        yield
    finally:
        moved = alone and _alone() and not all(map(torch.equal, before, map(_state, devices)))
        if moved:
            for d, state in zip(devices, before, strict=True):
                _set_state(d, state)
        _KNOWN.note(network, moved)


@contextmanager
def drawing_from(generators: DeviceGenerators) -> Iterator[None]:
    """A block that draws the numbers of a seed wherever it draws any; what it seeds is as before afterwards."""
    alone, before = _alone(), torch.get_rng_state()
    try:
        with DrawingMode(generators):
            yield
    finally:
        if alone and _alone() and not torch.equal(before, torch.get_rng_state()):
            torch.set_rng_state(before)


class _Known:
    """Which networks draw random numbers, by the object that holds them."""

    def __init__(self) -> None:
        self._draws: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

    def get(self, network: object) -> bool | None:
        try:
            return self._draws.get(_holder(network))
        except TypeError:  # what cannot be held weakly is not known
            return None

    def note(self, network: object, draws: bool) -> None:
        try:
            self._draws[_holder(network)] = draws
        except TypeError:
            return


_KNOWN = _Known()


def draws(network: object) -> bool | None:
    """Whether a network draws random numbers; None where it has not run in `drawing_apart` yet."""
    return _KNOWN.get(network)


def _holder(network: Any) -> Any:
    """The module of a network, else the object whose method it is, else the function itself."""
    module = getattr(network, "module", None)
    forward = getattr(network, "forward", network) if module is None else module
    return getattr(forward, "__self__", forward)


def _alone() -> bool:
    return threading.active_count() == 1


@cache
def is_random(fn: Any) -> bool:
    """Whether an ATen operation may draw random numbers."""
    return torch.Tag.nondeterministic_seeded in getattr(fn, "tags", ())


def really_draws(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether it does so with these arguments: attention without dropout does not, nor does RReLU in eval mode."""
    given = {a.name: args[i] if i < len(args) else kwargs.get(a.name, a.default_value) for i, a in _switches(fn)}
    drops = [value for name, value in given.items() if name in KEEPS]
    return given.get("training", given.get("train", True)) is not False and not (drops and all(not p for p in drops))


@cache
def _switches(fn: Any) -> tuple[tuple[int, Any], ...]:
    names = {"training", "train", "dropout_p", "dropout"} | ({"p"} if "dropout" in fn.name() else set())
    return tuple((i, a) for i, a in enumerate(fn._schema.arguments) if a.name in names)


@cache
def _with_generator(fn: Any) -> Callable[..., Any] | None:
    """The overload of an operation that takes a generator and everything else that it takes."""
    arguments = [(a.name, str(a.type)) for a in fn._schema.arguments]
    if any(name == "generator" for name, _ in arguments):
        return fn  # type: ignore[no-any-return]
    packet = fn.overloadpacket
    for name in packet.overloads():
        others = [(a.name, str(a.type)) for a in getattr(packet, name)._schema.arguments]
        if [a for a in others if a[0] != "generator"] == arguments and len(others) > len(arguments):
            return getattr(packet, name)  # type: ignore[no-any-return]
    return None


@cache
def is_composite(fn: Any) -> bool:
    """Whether an ATen operation is made of others in every case."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(fn.name(), "CompositeImplicitAutograd"))


def _device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device:
    found = next((a.device for a in (*args, *kwargs.values()) if isinstance(a, Tensor)), None)
    given = kwargs.get("device") if kwargs.get("device") is not None else found
    device = torch.device("cpu" if given is None else given)
    return torch.device("cuda", torch.cuda.current_device()) if device.type == "cuda" and device.index is None else device


def _state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
