"""Functions of each number on its own, and of two numbers that stand in the same place."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ..operation import Function, Node

One = Callable[[Tensor], Tensor]
Two = Callable[[Tensor, Tensor], Tensor]


def of_one(function: One) -> Function:
    """An operation without attributes on one tensor."""
    return lambda node, x: function(x)


def of_two(function: Two) -> Function:
    """An operation without attributes on two tensors, the second made to fit the first."""
    return lambda node, a, b: function(a, aligned(node, a, b))


def aligned(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """The second of two operands: its axes are the last of the first, or, before version 7, those from `axis` on."""
    axis = node.get("axis")
    if node.opset >= 7 or not node.get("broadcast") or axis is None or b.numel() == 1:
        return b
    return b.reshape(*b.shape, *(1,) * (a.dim() - axis % a.dim() - b.dim()))


def number(x: Tensor | None) -> float | None:
    """The number that a constant of the file holds; None where there is none, or where it follows from the input."""
    return float(x) if isinstance(x, nn.Parameter) and x.numel() == 1 else None
