"""Sums, products, matrix products, and functions of one number."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operation import Node, operation


@operation("Add")
def add(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return a + b


@operation("Mul")
def multiply(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return a * b


@operation("Relu")
def relu(node: Node, x: Tensor) -> Tensor:
    return x.relu()


@operation("MatMul")
def matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return a @ b


@operation("Gemm")
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha A B + beta C, each of A and B transposed where asked."""
    a = a.mT if node.get("transA") else a
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if c is None:
        return alpha * (a @ (b.mT if node.get("transB") else b)) if alpha != 1 else a @ (b.mT if node.get("transB") else b)
    if alpha == 1 and c.dim() == 1:
        weight = b if node.get("transB") else b.mT
        return torch.nn.functional.linear(a, weight, c if beta == 1 else beta * c)
    product = a @ (b.mT if node.get("transB") else b)
    return (product if alpha == 1 else alpha * product) + (c if beta == 1 else beta * c)


@operation("Softmax")
def softmax(node: Node, x: Tensor) -> Tensor:
    """Along one axis; before version 13 over all axes from `axis` on."""
    if node.opset >= 13:
        return x.softmax(node.get("axis", -1))
    axis = node.get("axis", 1) % max(x.dim(), 1)
    return x.flatten(axis).softmax(-1).view(x.shape)
