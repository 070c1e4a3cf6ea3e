"""What only moves numbers about, and shapes as numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operation import Node, integers, operation


@operation("Constant")
def constant(node: Node) -> Tensor:
    """A value that stands in the file, in one of the attributes that may hold it."""
    (name, value), *_ = ((name, value) for name, value in node.attributes.items() if name.startswith(("value", "sparse_value")))
    kinds = {"value_float": torch.float32, "value_floats": torch.float32, "value_int": torch.int64, "value_ints": torch.int64}
    return torch.tensor(value, dtype=kinds[name]) if name in kinds else value


@operation("Identity")
def identity(node: Node, x: Tensor) -> Tensor:
    return x


@operation("Reshape")
def reshape(node: Node, x: Tensor, shape: Tensor | None = None) -> Tensor:
    """To the shape given, where 0 keeps the length of that axis and -1 is worked out."""
    sizes = node.get("shape", ()) if shape is None else integers(shape)
    keep = not node.get("allowzero", 0)
    return x.reshape([x.shape[at] if size == 0 and keep else size for at, size in enumerate(sizes)])


@operation("Transpose")
def transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.get("perm", tuple(reversed(range(x.dim())))))


@operation("Shape")
def shape(node: Node, x: Tensor) -> Tensor:
    """The lengths of axes `start` to `end`."""
    return torch.tensor(x.shape[node.get("start", 0) : node.get("end", None)], dtype=torch.int64)


@operation("Flatten")
def flatten(node: Node, x: Tensor) -> Tensor:
    """A matrix: the axes before `axis`, by those from there on."""
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(x.shape[:axis].numel(), -1) if axis else x.reshape(1, -1)
