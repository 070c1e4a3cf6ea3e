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
NOTE = "The network keeps something from one call to the next: every call here starts from what it held before."


@dataclass(frozen=True, eq=False)
class Remembering:
    """A network that is the same before and after a call.

    Arguments:
        forward: The network.
        kept: What it keeps: the module, the attribute, and what that held.
    """

    forward: Callable[..., Any]
    kept: tuple[tuple[nn.Module, str, Any], ...]

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
    kept = tuple((module, name, getattr(module, name, MISSING)) for module, name in places(model.module))
    return replace(model, forward=Remembering(model.forward, kept), notes=(*model.notes, NOTE)) if kept else model


def places(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """The attributes that a forward pass writes."""
    kinds: dict[type, set[str]] = {}
    for child in module.modules():
        if isinstance(child, torch.jit.ScriptModule):
            names = _scripted(child)
        else:
            kind = type(child)
            names = kinds[kind] = kinds[kind] if kind in kinds else _written(kind)
        for name in sorted(names):
            yield child, name


def _scripted(module: torch.jit.ScriptModule) -> set[str]:
    if not hasattr(module, "graph"):  # a script without a forward
        return set()
    graph: Any = module.graph  # held by a name: the nodes die with it
    return {name for node in graph.findAllNodes("prim::SetAttr", True) if hasattr(module, name := node.s("name"))}


def _written(kind: type) -> set[str]:
    """The names that the forward pass of a class, or a method that it calls, sets on the module itself."""
    if kind.__module__.startswith("torch."):
        return set()
    names, todo, done = set[str](), ["forward"], set[str]()
    while todo:
        method = todo.pop()
        code = getattr(getattr(kind, method, None), "__code__", None)
        if method not in done and isinstance(code, CodeType):
            names |= set(_set_on_self(code))
            todo += [other for other in code.co_names if other in _own_methods(kind)]
        done.add(method)
    return names


def _own_methods(kind: type) -> set[str]:
    return {name for one in kind.__mro__ if one not in (nn.Module, object) for name in vars(one)}


def _set_on_self(code: CodeType) -> Iterator[str]:
    before = None
    for step in dis.get_instructions(code):
        if step.opname == "STORE_ATTR" and before is not None and before.argval == code.co_varnames[0]:
            yield step.argval
        before = step


def _put_back(module: nn.Module, name: str, value: Any) -> None:
    if value is MISSING:
        if hasattr(module, name):
            delattr(module, name)
    elif getattr(module, name, MISSING) is not value:
        setattr(module, name, value)
