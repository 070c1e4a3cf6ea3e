"""What an ONNX file becomes: a module that takes pictures channels first and batches of any size, whatever the file takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import InputError
from ..channels import channels_last
from . import quantised
from .folding import LARGEST_KEPT
from .graph import Graph, free_name


@dataclass(frozen=True)
class Port:
    """An input of the file.

    Arguments:
        name: In the file.
        shape: In the file; 0 for an axis that may have any length.
        dtype: Of its numbers; None for what is no tensor, or of a format that PyTorch lacks.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype | None = None

    def converted(self, value: Any) -> Any:
        """What is given, in the file's format of numbers; whole numbers are not made of real ones."""
        if not isinstance(value, Tensor):
            return value if self.dtype is None or value is None else torch.as_tensor(value, dtype=self.dtype)
        wider = self.dtype is not None and value.dtype != self.dtype and self.dtype.is_floating_point == value.is_floating_point()
        return value.to(self.dtype) if wider else value


class OnnxNetwork(nn.Module):
    """The network of a file, whose operations are its children, named as the file names them. It is called with its inputs by
    position or by the names in the file, and returns its output, or a dict of several by their names.

    Arguments:
        graph: Its operations.
        ports: Its inputs.
        turned: Whether the file takes channels last.
    """

    def __init__(self, graph: Graph, ports: Sequence[Port], *, turned: bool = False) -> None:
        super().__init__()
        self._graph = (graph,)  # in a tuple: its modules are registered once, as ours
        self.ports, self.turned = tuple(ports), turned
        shape = self.ports[0].shape if len(self.ports) == 1 else ()
        self.batch = shape[0] if shape else 0
        ordered = (shape[3], *shape[1:3]) if turned else shape[1:]
        self.shape = ordered if ordered and all(ordered) else None
        for name, child in graph.named_children():
            self.add_module(free_name(self, name), child)
        for name, parameter in graph.named_parameters(recurse=False):
            self.register_parameter(free_name(self, name), parameter)
        self._made_in = self._precision()

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(port.name for port in self.ports)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        values = list(self._ordered(inputs, named))
        if self.turned:
            values[0] = channels_last(values[0], self.shape)
        if not self.batch or len(values) > 1 or len(values[0]) == self.batch:
            return self._run(values)
        return self._in_batches(values[0])

    def _ordered(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> Sequence[Any]:
        """The inputs in the order of the file, in its formats of numbers."""
        given = {**dict(zip(self.input_names, inputs, strict=False)), **named}
        if len(inputs) > len(self.ports) or len(given) != len(inputs) + len(named) or set(given) != set(self.input_names):
            found = f"{len(inputs)} by position" + (f" and {', '.join(named)}" if named else "")
            why = f"the file takes {', '.join(self.input_names)}"
            raise InputError("The inputs of an ONNX file", found, why, "Give each of them once, by position or by its name.")
        moved = self._precision() if self._precision() != self._made_in else None  # by .double() or .half()
        ports = [replace(port, dtype=moved) if moved and port.dtype == self._made_in else port for port in self.ports]
        return [port.converted(given[port.name]) for port in ports]

    def _precision(self) -> torch.dtype | None:
        return next((one.dtype for one in self.parameters() if one.is_floating_point()), None)

    def _run(self, values: Sequence[Any]) -> Any:
        graph = self._graph[0]
        made = graph.run(values, {}, quantised.decimal)  # whole numbers would carry no derivatives
        return made[0] if len(made) == 1 else dict(zip(graph.names, made, strict=True))

    def _in_batches(self, x: Tensor) -> Any:
        """A file that fixes the size of its batch runs as often as it takes, the last time filled up."""
        missing = -len(x) % self.batch
        filled = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        parts = [self._run([filled[at : at + self.batch]]) for at in range(0, len(filled), self.batch)]
        return joined(parts, len(x))

    def takes_any_batch(self) -> bool:
        """Whether two samples more than the file says give two answers more."""
        if self.shape is None or math.prod(self.shape) > LARGEST_KEPT:
            return False
        batch, self.batch = self.batch, 0
        try:
            with torch.no_grad():
                answer = self(torch.zeros(batch + 2, *self.shape, dtype=self.ports[0].dtype))
        except Exception:
            return False
        finally:
            self.batch = batch
        leaves = list(answer.values()) if isinstance(answer, dict) else [answer]
        return all(isinstance(one, Tensor) and one.dim() and len(one) == batch + 2 for one in leaves)


def joined(parts: Sequence[Any], count: int) -> Any:
    """Outputs of several runs as those of one, of `count` samples.

    Example:
        >>> joined([torch.tensor([1, 2]), torch.tensor([3, 3])], 3)
        tensor([1, 2, 3])
    """
    if isinstance(parts[0], dict):
        return {name: joined([part[name] for part in parts], count) for name in parts[0]}
    return (torch.cat(list(parts)) if len(parts) > 1 else parts[0])[:count]
