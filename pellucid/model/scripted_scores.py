"""Scripted and traced code up to the softmax or sigmoid at its end: a copy of its graph without that one node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch

REMOVED = frozenset({"aten::softmax", "aten::sigmoid", "aten::special_softmax", "aten::special_expit"})
PACKED = frozenset(
    {"prim::TupleConstruct", "prim::ListConstruct", "prim::DictConstruct", "prim::ListUnpack", "prim::TupleUnpack"}
)

_KNOWN: WeakKeyDictionary[Any, Callable[..., Any] | None] = WeakKeyDictionary()


def scripted_scores(code: Any, moves: frozenset[str]) -> Callable[..., Any] | None:
    """What scripted code returns without its last activation, as a function of the same parameters; None, where it has none.

    What its executor puts together for a backward pass has derivatives at its ends only, so that scores inside cannot be read
    while it runs.

    Arguments:
        moves: The operations that may stand behind the activation.

    Example:
        >>> net = torch.jit.script(torch.nn.Sequential(torch.nn.Identity(), torch.nn.Softmax(1)).eval())
        >>> scripted_scores(net, frozenset())(torch.tensor([[0.0, 3.0]]))
        tensor([[0., 3.]])
    """
    if not isinstance(code, (torch.jit.ScriptModule, torch.jit.ScriptFunction)):
        return None
    if code not in _KNOWN:
        _KNOWN[code] = _without_activation(code, moves)
    made, owner = _KNOWN[code], getattr(code, "_c", None)
    if made is None or not isinstance(code, torch.jit.ScriptModule):
        return made
    return lambda *args, **kwargs: made(owner, *args, **kwargs)


def _without_activation(code: Any, moves: frozenset[str]) -> Callable[..., Any] | None:
    if not hasattr(code, "inlined_graph"):
        return None
    graph: Any = code.inlined_graph.copy()
    passed = frozenset(f"aten::{name}" for name in moves) | PACKED
    found = list(_ends(graph, passed))
    if not found:
        return None
    for node in found:
        node.output().replaceAllUsesWith(next(iter(node.inputs())))
    made: Callable[..., Any] = torch._C._create_function_from_graph("forward", graph)
    return made


def _ends(graph: Any, passed: frozenset[str]) -> Iterator[Any]:
    """The activations whose result only moves on to the outputs."""
    names: dict[str, Any] = {}
    waiting, on_the_way = [value.node() for value in graph.outputs()], set()
    while waiting:
        node = waiting.pop()
        name = node.output().debugName() if node.outputsSize() == 1 else str(node)
        if name in on_the_way:
            continue
        on_the_way.add(name)
        if node.kind() in REMOVED:
            names[name] = node
        elif node.kind() in passed:
            waiting += [value.node() for value in (node.inputs() if node.kind() in PACKED else list(node.inputs())[:1])]
    for node in names.values():
        users = [use.user for use in node.output().uses()]
        if all(user.kind() == "prim::Return" or user.kind() in passed for user in users):
            yield node
