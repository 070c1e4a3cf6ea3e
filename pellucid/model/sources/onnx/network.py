"""What an ONNX file becomes: a module that takes pictures channels first and batches of any size, whatever the file takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..channels import channels_last
from .graph import Graph, free_name


class OnnxNetwork(nn.Module):
    """The network of a file, whose operations are its children, named as the file names them.

    Arguments:
        graph: Its operations.
        shape: Of the input in the file; 0 for an axis that may have any length.
        turned: Whether the file takes channels last.
    """

    def __init__(self, graph: Graph, shape: tuple[int, ...], *, turned: bool) -> None:
        super().__init__()
        self._graph = (graph,)  # in a tuple: its modules are registered once, as ours
        self.turned, self.batch = turned, shape[0] if shape else 0
        sample = shape[1:]
        ordered = (sample[2], *sample[:2]) if turned else sample
        self.shape = ordered if ordered and all(ordered) else None
        for name, child in graph.named_children():
            self.add_module(free_name(self, name), child)
        for name, parameter in graph.named_parameters(recurse=False):
            self.register_parameter(free_name(self, name), parameter)

    def forward(self, *inputs: Any) -> Any:
        x = inputs[0]
        x = channels_last(x, self.shape) if self.turned else x
        if not self.batch or len(inputs) > 1 or len(x) == self.batch:
            return self._graph[0](x, *inputs[1:])
        return self._in_batches(x)

    def _in_batches(self, x: Tensor) -> Tensor:
        """A file that fixes the size of its batch runs as often as it takes, the last time filled up."""
        missing = -len(x) % self.batch
        filled = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        parts = [self._graph[0](filled[at : at + self.batch]) for at in range(0, len(filled), self.batch)]
        made = torch.cat(parts) if len(parts) > 1 else parts[0]
        return made[: len(x)] if missing else made

    def takes_any_batch(self) -> bool:
        """Whether two samples more than the file says give two answers more."""
        if self.shape is None:
            return False
        batch, self.batch = self.batch, 0
        try:
            with torch.no_grad():
                answer = self(torch.zeros(batch + 2, *self.shape))
        except Exception:
            return False
        finally:
            self.batch = batch
        return isinstance(answer, Tensor) and len(answer) == batch + 2
