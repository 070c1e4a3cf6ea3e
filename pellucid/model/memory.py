"""Memory: what a network keeps from one call to the next, such as the state of a recurrent layer that listens to a stream.

An explanation calls the network many times. Every call starts from what was kept when it was asked for, and leaves that behind.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

import torch
from torch import nn

from .model import Model

MISSING = object()
SWAPPED = ("what was changed, and its owner",)
NOTE = "The network keeps something from one call to the next: every call here starts from what it held before."


@dataclass(frozen=True, eq=False)
class Remembering:
    """A network that is the same before and after a call.

    Arguments:
        forward: The network.
        kept: What it keeps: the module, the attribute, and what that held.
        reads: Whether it reads any of that, so that a call depends on those before: a map that is only put aside changes nothing.
    """

    forward: Callable[..., Any]
    kept: tuple[tuple[nn.Module, str, Any], ...]
    reads: bool

    def __call__(self, *inputs: Any, **extra: Any) -> Any:
        try:
            return self.forward(*inputs, **extra)
        finally:
            for module, name, value in self.kept:
                _put_back(module, name, value)


def remembering(model: Model) -> Model:
    """The model for an explanation: with calls that all start from what the network keeps now; unchanged where it keeps nothing.

    Example:
        >>> class Counts(nn.Module):
        ...     calls = 0
        ...     def forward(self, x):
        ...         self.calls = self.calls + 1
        ...         return x * self.calls
        >>> net = Counts().eval()
        >>> model = remembering(Model(net, "counts", "nn.Module", module=net))
        >>> model(torch.ones(1, 1)).item(), model(torch.ones(1, 1)).item()
        (1.0, 1.0)
    """
    if model.module is None or isinstance(model.forward, Remembering):
        return model
    found = list(places(model.module))
    if not found:
        return model
    kept = tuple((place.module, place.name, getattr(place.module, place.name, MISSING)) for place in found)
    reads = any(place.read for place in found)
    return replace(model, forward=Remembering(model.forward, kept, reads), notes=(*model.notes, *([NOTE] if reads else [])))


@dataclass(frozen=True, eq=False)
class Place:
    """An attribute that a forward pass writes, and whether it reads it, too."""

    module: nn.Module
    name: str
    read: bool


def places(module: nn.Module) -> Iterator[Place]:
    """The attributes that a forward pass writes."""
    kinds: dict[type, dict[str, bool]] = {}
    for child in module.modules():
        if isinstance(child, torch.jit.ScriptModule):
            names = _of_script(child)
        else:
            kind = type(child)
            names = kinds[kind] = kinds[kind] if kind in kinds else _of_class(kind)
        yield from (Place(child, name, read) for name, read in sorted(names.items()))


def _of_script(module: torch.jit.ScriptModule) -> dict[str, bool]:
    try:
        graph: Any = module.graph  # held by a name: the nodes die with it
    except (AttributeError, RuntimeError):  # a script without a forward
        return {}
    written, read = ({node.s("name") for node in graph.findAllNodes(f"prim::{way}Attr", True)} for way in ("Set", "Get"))
    return {name: name in read for name in written if hasattr(module, name)}


def _of_class(kind: type) -> dict[str, bool]:
    """The names that the forward pass of a class, or a method that it calls, sets on the module itself."""
    if kind.__module__.startswith("torch."):
        return {}
    uses = [use for code in _codes(kind) for use in _on_self(code)]
    names = {way: {name for found, name in uses if found == way} for way in ("read", "written", "changed")}
    used = names["changed"] & names["read"]  # what is only counted, no call depends on
    return {name: name in names["read"] for name in names["written"] | used}


def _codes(kind: type) -> Iterator[CodeType]:
    """The code of the forward pass of a class, and of its methods that it names."""
    own = {name for one in kind.__mro__ if one not in (nn.Module, object) for name in vars(one)}
    todo, done = ["forward"], set[str]()
    while todo:
        method = todo.pop()
        code = getattr(getattr(kind, method, None), "__code__", None)
        if method not in done and isinstance(code, CodeType):
            yield code
            todo += [other for other in code.co_names if other in own]
        done.add(method)


def _on_self(code: CodeType) -> Iterator[tuple[str, str]]:
    """What is done with attributes of the first argument: "read", "written", or "changed" as in `self.calls += 1`."""
    last: Any = None  # the variable that was loaded last; newer versions of Python load two at once
    changed, copied = set[str](), False
    for step in dis.get_instructions(code):
        if step.opname in ("COPY", "DUP_TOP"):
            copied = last == code.co_varnames[:1]
            continue
        if last == code.co_varnames[:1] and step.opname.endswith(("_ATTR", "_METHOD")):
            if copied:  # it is written again, behind what is computed of it
                changed.add(step.argval)
            else:
                yield "written" if step.opname == "STORE_ATTR" else "read", step.argval
        elif step.opname == "STORE_ATTR" and last is SWAPPED and step.argval in changed:
            yield "changed", step.argval
        copied = False
        last = SWAPPED if step.opname in ("SWAP", "ROT_TWO") else _variables(step)


def _variables(step: dis.Instruction) -> tuple[Any, ...]:
    return step.argval[-1:] if isinstance(step.argval, tuple) else (step.argval,)


def _put_back(module: nn.Module, name: str, value: Any) -> None:
    if value is MISSING:
        if hasattr(module, name):
            delattr(module, name)
    elif getattr(module, name, MISSING) is not value:
        setattr(module, name, value)
