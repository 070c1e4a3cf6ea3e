"""Layers whose weights, offsets or statistics are computed from the input, as the simple operations they are made of.

What modulates an adaptive norm or a dynamic convolution is a factor or a summand like any other, and no constant of the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ... import kinds


def convolution(fn: Any, x: Tensor, weight: Tensor, bias: Tensor, *settings: Any) -> Tensor:
    """Without its bias, which is added."""
    y: Tensor = fn(x, weight, None, *settings)
    return y + bias.reshape(-1, *[1] * (y.dim() - 2))


def layer_norm(fn: Any, x: Tensor, shape: Any, weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
    y, *statistics = fn(x, shape, None, None, eps)
    return modulated(y, weight, bias), *statistics


def rms_norm(fn: Any, x: Tensor, shape: Any, weight: Tensor | None, eps: float | None) -> Any:
    y, *statistics = fn(x, shape, None, eps)
    return modulated(y, weight, None), *statistics


def group_norm(fn: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, *settings: Any) -> Any:
    y, *statistics = fn(x, None, None, *settings)
    each = (1, -1, *[1] * (x.dim() - 2))
    return modulated(y, *(None if t is None else t.reshape(each) for t in (weight, bias))), *statistics


def batch_norm(fn: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Any:
    each = (1, -1, *[1] * (x.dim() - 2))
    wide = [None if t is None else t.reshape(each) for t in (weight, bias)]
    if len(rest) > 3 and rest[2] is not True:  # by running statistics
        mean, variance, eps = rest[0], rest[1], rest[-1]
        y = (x - mean.reshape(each)) * (variance.reshape(each) + eps).rsqrt()
        return modulated(y, *wide), x.new_empty(0), x.new_empty(0)
    y, *statistics = fn(x, None, None, *rest)
    return modulated(y, *wide), *statistics


def modulated(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """weight * y + bias."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


# By name: the decomposition, and the places of what must be constant for the operation to stay whole.
MODULATED: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "native_layer_norm": (layer_norm, (2, 3)),
    "_fused_rms_norm": (rms_norm, (2,)),
    "native_group_norm": (group_norm, (1, 2)),
    **{name: (batch_norm, (1, 2, 3, 4)) for name in kinds.BATCH_NORMS},
    "convolution": (convolution, (1, 2)),
}


def decomposition(name: str, args: tuple[Any, ...], tracked: Callable[[Tensor], bool]) -> Callable[..., Any] | None:
    """What to run in place of an operation; None where all that modulates it is constant."""
    whole, places = MODULATED[name]
    if name == "convolution" and args[2] is None:
        return None
    return whole if any(isinstance(args[i], Tensor) and tracked(args[i]) for i in places if i < len(args)) else None


def scattered(x: Tensor, dim: int, index: Tensor, src: Tensor | float, *, reduce: str = "") -> Tensor:
    """What is scattered, added to what is there or multiplied by it: PyTorch has a derivative of `scatter_reduce` alone."""
    source = src if isinstance(src, Tensor) else torch.full(index.shape, src, dtype=x.dtype, device=x.device)
    if reduce == "add":
        return torch.scatter_add(x, dim, index, source)
    return torch.scatter_reduce(x, dim, index, source, "prod")


def addbmm(base: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum over a batch of products of matrices, added to `base`."""
    return beta * base + alpha * torch.bmm(a, b).sum(0)


def addr(base: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The outer product of two vectors, added to `base`."""
    return beta * base + alpha * (a[:, None] * b)


def addmm_activation(base: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1, use_gelu: bool = False) -> Tensor:
    """A product of matrices added to `base`, and its activation."""
    z = torch.addmm(base, a, b, beta=beta, alpha=alpha)
    return torch.nn.functional.gelu(z) if use_gelu else z.relu()


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {"addbmm": addbmm, "addr": addr, "_addmm_activation": addmm_activation}
