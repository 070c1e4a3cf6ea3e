"""A graph of an ONNX file as a module: one child per operation, named as the file names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from . import quantised
from .operation import Function, Node, find


@dataclass(frozen=True)
class Step:
    """One operation in its place: where its inputs come from, and what its outputs are called; "" is none.

    Arguments:
        layer: The child of the graph that computes it.
        outer: What the graphs inside it read from around them.
        dead: What no later step reads.
    """

    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    outer: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()


class Operation(nn.Module):
    """A node of the file. Weights that only it reads are its parameters; graphs inside it are its children.

    Arguments:
        node: What the file says of it.
        function: What computes it.
    """

    def __init__(self, node: Node, function: Function) -> None:
        super().__init__()
        self.node, self.function = node, function
        self.original_name = node.kind  # what lists of layers say of it
        for name, value in node.attributes.items():
            if isinstance(value, nn.Module):
                self.add_module(free_name(self, name), value)

    def forward(self, *inputs: Any, outer: Mapping[str, Any] | None = None) -> Any:
        extra = {} if outer is None else {"outer": outer}
        try:
            return quantised.apply(self.node, self.function, on_one_device(inputs), **extra)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            error.add_note(f"in {self.node.kind} `{self.node.name}` of the ONNX file")
            raise

    def extra_repr(self) -> str:
        return self.node.kind

    def __getstate__(self) -> dict[str, Any]:
        """Without the function, which is found again by its name: networks cross processes."""
        return {**self.__dict__, "function": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.function = find(self.node.kind, self.node.domain) or self.function


class Graph(nn.Module):
    """Operations in the order of the file. It takes its inputs in order, and returns its one output or a tuple of them.

    Arguments:
        inputs: Names of what it takes.
        outputs: Names of what it returns.
    """

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.names = self.outputs  # what they are called outside, where another value is returned in the place of one
        self.steps: tuple[Step, ...] = ()
        self.homes: dict[
            str, tuple[str, str]
        ] = {}  # name in the file -> child ("" is this graph itself), its parameter or buffer
        self.fixed: dict[str, Any] = {}  # whole numbers, sequences: they stay on the CPU, where shapes are computed

    def forward(self, *inputs: Any, outer: Mapping[str, Any] | None = None) -> Any:
        results = self.run(inputs, outer or {})
        return results[0] if len(results) == 1 else results

    def run(
        self, inputs: Sequence[Any], outer: Mapping[str, Any], ends: Callable[[Any], Any] = quantised.plain
    ) -> tuple[Any, ...]:
        """All outputs.

        Arguments:
            outer: Values of the graph around this one, by name.
            ends: What becomes of an output that is quantised.
        """
        given = {**dict.fromkeys(self.inputs), **dict(zip(self.inputs, inputs, strict=False))}  # left out of a call: None
        values = {**outer, **self.fixed, **self._learned(), **given}
        for step in self.steps:
            taken = [values[name] if name else None for name in step.inputs]
            layer = self._modules[step.layer]
            assert layer is not None
            around = {"outer": {name: values[name] for name in step.outer}} if step.outer or _holds_graphs(layer) else {}
            made = layer(*taken, **around)
            made = made if isinstance(made, tuple) else (made,)
            values.update((name, value) for name, value in zip(step.outputs, made, strict=False) if name)
            for name in step.dead:
                del values[name]
        return tuple(ends(values[name]) for name in self.outputs)

    def _learned(self) -> dict[str, Tensor]:
        return {name: getattr(self._modules[child] if child else self, own) for name, (child, own) in self.homes.items()}


def _holds_graphs(layer: nn.Module) -> bool:
    return isinstance(layer, Operation) and bool(layer._modules)


def mark_dead(graph: Graph, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with what no later one reads, so that it is let go."""
    last = {name: at for at, step in enumerate(steps) for name in (*step.inputs, *step.outer, *step.outputs) if name}
    made = {*graph.inputs, *(name for step in steps for name in step.outputs)} - {*graph.outputs, *graph.homes, *graph.fixed}
    dead: dict[int, list[str]] = {}
    for name, at in last.items():
        if name in made:
            dead.setdefault(at, []).append(name)
    return tuple(replace(step, dead=tuple(dead.get(at, ()))) for at, step in enumerate(steps))


def free_name(module: nn.Module, name: str) -> str:
    """A name that a child, parameter or buffer may have: without dots, and not taken yet."""
    name = name.replace(".", "/") or "unnamed"
    while hasattr(module, name) or name in module._modules:
        name += "_"
    return name


def on_one_device(values: Sequence[Any]) -> Sequence[Any]:
    """Values with those on the CPU moved to the accelerator where another is there: shapes are computed on the CPU."""
    held = (Tensor, quantised.Quantised)
    devices = {value.device for value in values if isinstance(value, held)}
    there = next((device for device in devices if device.type != "cpu"), None)
    if there is None or len(devices) == 1:
        return values
    return [value.to(there) if isinstance(value, held) else value for value in values]


def keep(module: nn.Module, name: str, value: Tensor, *, learned: bool = True) -> str:
    """Register a constant with decimals, as a parameter where it was learned; what it is called there."""
    own = free_name(module, name)
    if learned:
        module.register_parameter(own, nn.Parameter(value, requires_grad=False))
    else:
        module.register_buffer(own, value)
    return own
