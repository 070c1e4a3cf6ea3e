"""Training mode, in a module's flag or fixed inside a traced or exported program; and which programs hide their modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

import torch
from torch import nn

# Where an operation's own training switch stands among its arguments.
SWITCH = {f"{kind}dropout{mark}": 2 for kind in ("", "feature_", "alpha_", "feature_alpha_") for mark in ("", "_")}
SWITCH |= {"native_dropout": 2, "batch_norm": 5, "native_batch_norm": 5}


def training_modules(module: nn.Module, name: str = "") -> Iterator[str]:
    """The paths of the modules in training mode, in order; "" is the network itself."""
    if is_exported(module) or _of_whole_numbers(module):  # their flags are on and mean nothing
        return
    if getattr(module, "training", False) and not _only_wraps(module):  # a frozen script has no flag
        yield name
    for child, submodule in module.named_children():
        yield from training_modules(submodule, f"{name}.{child}" if name else child)


def _of_whole_numbers(module: nn.Module) -> bool:
    """Whether a layer is one of int8, which PyTorch makes in training mode, and which knows only one mode."""
    whole = type(module).__module__.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized"))
    return whole and not getattr(module, "dropout", 0)


def int8_note(module: nn.Module) -> tuple[str, ...]:
    """What takes the place of a derivative in dynamically quantised dense layers, in a sentence, where there are any."""
    if not any(type(child).__module__.startswith("torch.ao.nn.quantized.dynamic") for child in module.modules()):
        return ()
    return ("Rounding to int8 has no derivative: the dense layers have that of the float weights which their int8 stands for.",)


def _only_wraps(module: nn.Module) -> bool:
    """Whether a module in training mode is a wrapper whose own code never asks, around modules that are all in eval mode."""
    inside = list(module.children())
    if not inside or isinstance(module, (torch.jit.ScriptModule, torch.fx.GraphModule)):
        return False
    quiet = not any(True for child in inside for _ in training_modules(child))
    return quiet and not any(_asks(kind) for kind in type(module).__mro__ if kind not in (nn.Module, object))


def _asks(kind: type) -> bool:
    """Whether the code of a class names the flag."""
    functions = (getattr(f, "__func__", getattr(f, "fget", f)) for f in vars(kind).values())
    return any(_reads(f.__code__) for f in functions if hasattr(f, "__code__"))


def _reads(code: CodeType) -> bool:
    words = {*code.co_names, *code.co_freevars, *(c for c in code.co_consts if isinstance(c, str))}
    keywords = {word for c in code.co_consts if isinstance(c, tuple) for word in c}
    return "training" in words | keywords or any(_reads(c) for c in code.co_consts if isinstance(c, CodeType))


def fixed_training_ops(module: nn.Module) -> Iterator[str]:
    """The operations inside a program that will behave as in training whatever its flags say.

    Example:
        >>> class Noisy(nn.Module):
        ...     def forward(self, x: torch.Tensor) -> torch.Tensor:
        ...         return nn.functional.dropout(x, 0.5, training=True)
        >>> list(fixed_training_ops(torch.export.export(Noisy().eval(), (torch.ones(2),)).module()))
        ['dropout']
    """
    for name, arguments in _operations(module):
        on = arguments[SWITCH[name]] is True
        # without running statistics a batch norm takes those of the batch in either mode: that is its design
        if on and (arguments[3] is not None if "batch_norm" in name else arguments[1] != 0):
            yield name


def is_exported(module: nn.Module) -> bool:
    """Whether this is a program of ATen operations, as torch.export makes it, rather than of modules."""
    if not isinstance(module, torch.fx.GraphModule):
        return False
    nodes = module.graph.nodes
    calls = (node.op == "call_module" and node.target != "_guards_fn" for node in nodes)
    return any(isinstance(node.target, torch._ops.OpOverload) for node in nodes) and not any(calls)


class NamedLayers(nn.Module):
    """The layers of a network that PyTorch itself does not call, by name, with what they learned: a table to look things up in.

    Arguments:
        layers: By path: the class of the layer, and its parameters.
    """

    def __init__(self, layers: Mapping[str, tuple[str, Sequence[nn.Parameter]]]) -> None:
        super().__init__()
        for path, (kind, parameters) in layers.items():
            place: nn.Module = self
            for part in path.split("."):
                if part not in place._modules:
                    place.add_module(part, NamedLayer())
                place = place.get_submodule(part)
            place.original_name = kind  # type: ignore[assignment]
            for number, parameter in enumerate(parameters):
                place.register_parameter(str(number), parameter)
        self.eval()


class NamedLayer(nn.Module):
    """One of them."""

    original_name = "Layer"


def is_opaque(module: nn.Module | None) -> bool:
    """Whether the modules inside cannot be seen while they run."""
    return isinstance(module, (torch.jit.ScriptModule, torch.fx.GraphModule, NamedLayers))


def _operations(module: nn.Module) -> Iterator[tuple[str, Sequence[Any]]]:
    """The operations with a training switch in the programs inside a module, with their arguments."""
    if isinstance(module, torch.jit.ScriptModule):
        yield from _scripted(module)
        return
    if isinstance(module, torch.fx.GraphModule) and is_exported(module):
        yield from _graphed(module)
    for child in module.children():
        yield from _operations(child)


def _graphed(module: torch.fx.GraphModule) -> Iterator[tuple[str, Sequence[Any]]]:
    for node in module.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload):
            namespace, _, name = node.target._schema.name.partition("::")
            if namespace == "aten" and name in SWITCH:
                yield name, node.args


def _scripted(module: torch.jit.ScriptModule) -> Iterator[tuple[str, Sequence[Any]]]:
    if not hasattr(module, "inlined_graph"):  # a script without a forward
        return
    graph: Any = module.inlined_graph  # held by a name: the nodes die with it
    for name in SWITCH:
        for node in graph.findAllNodes(f"aten::{name}", True):
            yield name, [_constant(value) for value in node.inputs()]


def _constant(value: Any) -> Any:
    """A scripted value that is known before the program runs, or `...`."""
    return value.toIValue() if value.node().kind() == "prim::Constant" else ...
