"""LibraGrad: the gradient times the input of a network whose gradient is pruned where it breaks completeness, without any rules.

Weights of attention, the spread of norms and what an activation multiplies its input by count as constants; of two factors that
both depend on the input, as in gated layers, each gets half the gradient. Written from the paper (Mehri et al., CVPR 2025,
https://doi.org/10.48550/arXiv.2411.16760), on PyTorch's own autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

NORMS = (torch.rsqrt, functional.layer_norm)
PRODUCTS = (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__)
CONSTANT = (functional.softmax, torch.softmax, torch.rsqrt, Tensor.softmax)
ACTIVATIONS = (functional.gelu, functional.silu, functional.relu)


class Pruned(TorchFunctionMode):
    """Calls of PyTorch, with their gradients pruned.

    Arguments:
        still: Whether the spread of norms counts as a constant.
    """

    def __init__(self, *, still: bool) -> None:
        super().__init__()
        self.still = still

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in NORMS and not self.still:
            return func(*args, **kwargs)
        if func in CONSTANT:
            return func(*args, **kwargs).detach()
        if func in ACTIVATIONS:
            return _activation(args[0], func(*args, **kwargs))
        if func is functional.layer_norm:
            return _layer_norm(*args, **kwargs)
        if func is functional.scaled_dot_product_attention:
            return _attention(*args, **kwargs)
        if func in PRODUCTS and all(isinstance(factor, Tensor) and factor.requires_grad for factor in args):
            a, b = args
            if a.shape != b.shape:  # the spread of a norm
                return func(a, b)
            return (a * b.detach() + a.detach() * b) / 2
        return func(*args, **kwargs)


def _activation(x: Tensor, y: Tensor) -> Tensor:
    return x * torch.where(x == 0, torch.zeros_like(x), y / x).detach()


def _layer_norm(x: Tensor, shape: Any, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    spread = (x.var(-1, unbiased=False, keepdim=True) + eps).sqrt().detach()
    return (x - x.mean(-1, keepdim=True)) / spread * weight.detach() + bias.detach()


def _attention(query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """With its weights read off by attending to the unit vectors."""
    units = torch.eye(key.shape[-2], dtype=value.dtype).expand(*value.shape[:-2], -1, -1)
    with torch.no_grad():
        weights = functional.scaled_dot_product_attention(query, key, units, *args, **kwargs)
    return weights @ value


def gradient_x_input(score: Callable[[Tensor], Tensor], x: Tensor, *, still: bool) -> tuple[Tensor, Tensor]:
    """The pruned gradient times the input, and the score."""
    with torch.enable_grad(), Pruned(still=still):
        leaf = x.detach().clone().requires_grad_()
        y = score(leaf)[0, 0]
    (slope,) = torch.autograd.grad(y, leaf)
    return slope * x, y.detach()
