"""What only gives numbers another shape, fresh tensors of a shape, and shapes as numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..operation import Node, axes_of, integers, operation
from .text import as_positions, moving


@operation("Constant")
def constant(node: Node) -> Any:
    """A value that stands in the file, in one of the attributes that may hold it."""
    (name, value), *_ = ((name, value) for name, value in node.attributes.items() if name.startswith(("value", "sparse_value")))
    kinds = {"value_float": torch.float32, "value_floats": torch.float32, "value_int": torch.int64, "value_ints": torch.int64}
    return torch.tensor(value, dtype=kinds[name]) if name in kinds else value


@operation("Identity")
def identity(node: Node, x: Any) -> Any:
    return x


@operation("Reshape")
@moving
def reshape(node: Node, x: Tensor, shape: Tensor | None = None) -> Tensor:
    """To the shape given, where 0 keeps the length of that axis and -1 is worked out."""
    sizes = node.get("shape", ()) if shape is None else integers(shape)
    keep = not node.get("allowzero", 0)
    return x.reshape([x.shape[at] if size == 0 and keep else size for at, size in enumerate(sizes)])


@operation("Transpose")
@moving
def transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.get("perm", tuple(reversed(range(x.dim())))))


@operation("Flatten")
@moving
def flatten(node: Node, x: Tensor) -> Tensor:
    """A matrix: the axes before `axis`, by those from there on."""
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    if x.numel() and axis:
        return x.reshape(x.shape[:axis].numel(), -1)
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


@operation("Squeeze")
@moving
def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Without those axes, or any, that have the length one."""
    chosen = axes_of(node, axes)
    if chosen is None:
        return x.squeeze()
    if any(x.shape[axis] != 1 for axis in chosen):
        raise ValueError(f"axes {chosen} of a tensor of the shape {tuple(x.shape)} are not all of length one")
    return x.squeeze(tuple(chosen))


@operation("Unsqueeze")
@moving
def unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """With axes of length one, counted in what is made."""
    chosen = axes_of(node, axes) or []
    rank = x.dim() + len(chosen)
    for axis in sorted(axis % rank for axis in chosen):
        x = x.unsqueeze(axis)
    return x


@operation("Expand")
@moving
def expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Repeated along axes of length one, and new axes in front."""
    sizes = integers(shape)
    own = (*[1] * (len(sizes) - x.dim()), *x.shape)
    wanted = (*[1] * (x.dim() - len(sizes)), *sizes)
    return x.expand([length if size == 1 else size for length, size in zip(own, wanted, strict=True)])


@operation("Tile")
@moving
def tile(node: Node, x: Tensor, repeats: Tensor, axis: Tensor | None = None) -> Tensor:
    """So many times along each axis; in version 1 along one."""
    counts = integers(repeats)
    if axis is not None:
        (along,) = integers(axis)
        counts = [counts[0] if at == along else 1 for at in range(x.dim())]
    return x.repeat(counts)


@operation("Concat")
@moving
def concat(node: Node, *parts: Tensor) -> Tensor:
    return torch.cat(parts, node.get("axis", 1))


@operation("Split")
@moving
def split(node: Node, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    """Along an axis, into parts of the sizes given, or into equal ones, of which the last may be shorter."""
    axis = node.get("axis", 0)
    given = axes_of(node, sizes, "split")
    if given is None:
        count = node.get("num_outputs", node.outputs)
        size = -(-x.shape[axis] // count)
        given = [min(size, max(0, x.shape[axis] - at * size)) for at in range(count)]
    return tuple(x.split_with_sizes(given, axis))


@operation("Shape")
def shape(node: Node, x: Any) -> Tensor:
    """The lengths of axes `start` to `end`."""
    sizes = as_positions(x).shape
    return torch.tensor(sizes[node.get("start", 0) : node.get("end", None)], dtype=torch.int64)


@operation("Size")
def size(node: Node, x: Any) -> Tensor:
    return torch.tensor(as_positions(x).numel(), dtype=torch.int64)


@operation("ConstantOfShape")
def constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    value = node.get("value", torch.zeros(1))
    made: Tensor = value.reshape(()).expand(integers(shape)).clone()
    return made


@operation("Range")
def range_(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """From a number in equal steps to before another."""
    count = ((limit.double() - start.double()) / delta.double()).ceil().clamp(min=0)
    return start + torch.arange(int(count), dtype=start.dtype, device=start.device) * delta
