"""Products of matrices, and matrices of a given shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import constants
from ..operation import Node, integers, operation
from .activations import named
from .elementwise import aligned
from .unsigned import wrapped


@operation("MatMul")
@wrapped
def matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return a @ b


@operation("FusedMatMul", "TransposeMatMul", domain="com.microsoft")
def fused_matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """alpha A B, each transposed where asked: its last two axes, or the first before those between (`transBatch`)."""
    left, right = (_transposed(node, x, which) for x, which in ((a, "A"), (b, "B")))
    product = left @ right
    return product if node.get("alpha", 1.0) == 1 else node.get("alpha") * product


def _transposed(node: Node, x: Tensor, which: str) -> Tensor:
    if x.dim() < 2:
        return x
    x = x.movedim(0, -2) if node.get(f"transBatch{which}") else x
    return x.mT if node.get(f"trans{which}") else x


@operation("Gemm")
@wrapped
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha A B + beta C, each of A and B transposed where asked; a dense layer where it is one."""
    a, weight = a.mT if node.get("transA") else a, b if node.get("transB") else b.mT
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    bias = c if c is None or beta == 1 else beta * aligned(node, a, c)
    if alpha == 1 and (bias is None or (bias.numel() == len(weight) == bias.shape[-1:].numel())):
        return F.linear(a, weight, bias if bias is None else bias.flatten())
    product = F.linear(a, weight) if alpha == 1 else alpha * F.linear(a, weight)
    return product if bias is None else product + bias


@operation("FusedGemm", domain="com.microsoft")
def fused_gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """A dense layer and the activation after it."""
    z: Tensor = gemm(node, a, b, c)
    second = node.get("activation_beta", node.get("activation_gamma"))
    return named(node.get("activation"), node.get("activation_alpha"), second)(z)


@operation("Einsum")
@wrapped
def einsum(node: Node, *tensors: Tensor) -> Tensor:
    return torch.einsum(node.get("equation"), *tensors)


@operation("Det")
def determinant(node: Node, x: Tensor) -> Tensor:
    return x.det() if x.itemsize > 2 else x.float().det().to(x.dtype)


@operation("CDist", domain="com.microsoft")
def distances(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances of rows of one matrix from rows of another, or their squares."""
    squares = (a.unsqueeze(1) - b).square().sum(-1)
    return squares if node.get("metric", "sqeuclidean") == "sqeuclidean" else squares.sqrt()


@operation("Inverse", domain="com.microsoft")
def inverse(node: Node, x: Tensor) -> Tensor:
    return x.inverse()


@operation("Trilu")
@wrapped
def triangle(node: Node, x: Tensor, k: Tensor | None = None) -> Tensor:
    """What is on and above the diagonal k, or on and below it; zero elsewhere."""
    (diagonal,) = integers(k) or [0]
    return x.triu(diagonal) if node.get("upper", 1) else x.tril(diagonal)


@operation("EyeLike")
def identity_like(node: Node, x: Tensor) -> Tensor:
    """Ones on the diagonal k of a matrix of the same shape."""
    dtype = constants.dtype(node.get("dtype")) if node.get("dtype") is not None else x.dtype
    diagonal = torch.ones(x.shape, device=x.device).triu(node.get("k", 0)).tril(node.get("k", 0))
    return diagonal.to(dtype)
