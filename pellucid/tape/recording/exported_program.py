"""Exported programs: run node by node, with the module that each of their operations was exported from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

from torch import fx

STACK = "nn_module_stack"  # where PyTorch's exporter notes the modules around a node, the outermost first


class ModuleScope(Protocol):
    """Keeps track of the modules that are running, and of what they return: a recorder."""

    scope: list[str]

    def leave(self, output: Any) -> None: ...


def has_modules(module: Callable[..., Any]) -> TypeGuard[fx.GraphModule]:
    """Whether a program knows the modules it was made from."""
    return isinstance(module, fx.GraphModule) and any(STACK in node.meta for node in module.graph.nodes)


class ModuleInterpreter(fx.Interpreter):
    """Runs a program one node after the other, while the recorder follows the modules that these came from."""

    def __init__(self, program: fx.GraphModule, recorder: ModuleScope) -> None:
        super().__init__(program)
        self.extra_traceback = False  # errors have messages of our own
        self.recorder = recorder
        self.ends = _ends(program)

    def run_node(self, node: fx.Node) -> Any:
        modules = [path for path in _around(node).values() if path]
        self.recorder.scope.extend(modules)
        try:
            output = super().run_node(node)
            for path in self.ends.get(node, ()):
                self.recorder.scope.append(path)
                self.recorder.leave(output)
        finally:
            del self.recorder.scope[len(self.recorder.scope) - len(modules) :]
        return output


def _around(node: fx.Node) -> dict[str, str]:
    """The modules around a node by the name of each of their calls, the outermost first."""
    return {call: path for call, (path, _) in node.meta.get(STACK, {}).items()} if node.op == "call_function" else {}


def _ends(program: fx.GraphModule) -> dict[fx.Node, list[str]]:
    """By node: the modules that return what it makes. That is the last thing made in a call of theirs that others read."""
    inside: dict[str, dict[fx.Node, None]] = {}
    paths: dict[str, str] = {}
    for node in program.graph.nodes:
        for call, path in _around(node).items():
            inside.setdefault(call, {})[node] = None
            paths[call] = path
    ends: dict[fx.Node, list[str]] = {}
    for call, nodes in inside.items():
        read = [node for node in nodes if any(user not in nodes for user in node.users)]
        if read and paths[call]:
            ends.setdefault(read[-1], []).append(paths[call])
    return ends
