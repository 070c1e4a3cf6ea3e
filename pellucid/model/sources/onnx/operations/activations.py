"""Activation functions, each called as networks in PyTorch call it wherever PyTorch has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation
from .elementwise import of_one
from .unsigned import UNSIGNED

ONE = {
    "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Softplus": F.softplus, "Softsign": F.softsign,
    "HardSwish": F.hardswish, "Mish": F.mish,
}  # fmt: skip
SELU = (1.6732632, 1.0507010)  # alpha, gamma

for _kind, _one in ONE.items():
    operation(_kind)(of_one(_one))


@operation("Erf")
def error_function(node: Node, x: Tensor) -> Tensor:
    return x.erf().to(x.dtype)


@operation("Gelu")
@operation("Gelu", domain="com.microsoft")
def gelu(node: Node, x: Tensor) -> Tensor:
    """x Phi(x), or its approximation by tanh."""
    return F.gelu(x, approximate=node.get("approximate", "none"))


@operation("BiasGelu", domain="com.microsoft")
def biased_gelu(node: Node, x: Tensor, bias: Tensor) -> Tensor:
    return F.gelu(x + bias)


@operation("FastGelu", domain="com.microsoft")
def fast_gelu(node: Node, x: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.gelu(x if bias is None else x + bias, approximate="tanh")


@operation("BiasSplitGelu", domain="com.microsoft")
def split_gelu(node: Node, x: Tensor, bias: Tensor) -> Tensor:
    """a gelu(b), of the two halves of x + bias"""
    value, gate = (x + bias).chunk(2, -1)
    return value * F.gelu(gate)


@operation("BiasAdd", domain="com.microsoft")
def biased_sum(node: Node, x: Tensor, bias: Tensor, skip: Tensor) -> Tensor:
    return x + bias + skip


@operation("Swish")
def swish(node: Node, x: Tensor) -> Tensor:
    """x sigmoid(alpha x)"""
    return _swish(x, node.get("alpha", 1.0))


@operation("QuickGelu", domain="com.microsoft")
def quick_gelu(node: Node, x: Tensor) -> Tensor:
    return _swish(x, node.get("alpha", 1.702))


@operation("SwiGLU")
def gated_swish(node: Node, gate: Tensor, value: Tensor) -> Tensor:
    """swish(gate) value"""
    return _swish(gate, node.get("alpha", 1.0)) * value


def _swish(x: Tensor, alpha: float) -> Tensor:
    return F.silu(x) if alpha == 1 else x * (alpha * x).sigmoid()


@operation("LeakyRelu")
def leaky_relu(node: Node, x: Tensor) -> Tensor:
    return F.leaky_relu(x, node.get("alpha", 0.01))


@operation("PRelu")
def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """x, below zero times a slope: one in all, one per channel, or one per number. Before version 7 a list is one per channel."""
    if x.dtype in UNSIGNED:
        return x
    old = node.opset < 7 and slope.dim() == 1
    shape = (1,) * (x.dim() - slope.dim()) + slope.shape
    channels = old or (x.dim() > 1 and slope.numel() == shape[1] == x.shape[1])
    if x.is_floating_point() and (slope.numel() == 1 or channels):
        return F.prelu(x, slope.flatten())
    return torch.where(x < 0, slope * x, x)


@operation("Elu")
def elu(node: Node, x: Tensor) -> Tensor:
    return F.elu(x, node.get("alpha", 1.0))


@operation("Celu")
def celu(node: Node, x: Tensor) -> Tensor:
    return F.celu(x, node.get("alpha", 1.0))


@operation("Selu")
def selu(node: Node, x: Tensor) -> Tensor:
    """gamma elu(x); version 1 has fewer digits."""
    default = SELU if node.opset >= 6 else (1.6732, 1.0507)
    alpha, gamma = node.get("alpha", default[0]), node.get("gamma", default[1])
    standard = abs(alpha - SELU[0]) < 1e-6 and abs(gamma - SELU[1]) < 1e-6
    return F.selu(x) if standard else gamma * F.elu(x, alpha)


@operation("HardSigmoid")
def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    """alpha x + beta between 0 and 1"""
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    return F.hardsigmoid(x) if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5 else F.hardtanh(alpha * x + beta, 0.0, 1.0)


@operation("ThresholdedRelu")
def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    return F.threshold(x, node.get("alpha", 1.0), 0.0)


@operation("Shrink")
def shrink(node: Node, x: Tensor) -> Tensor:
    """Nearer to zero by `bias`; zero where within `lambd` of it."""
    lambd, bias = node.get("lambd", 0.5), node.get("bias", 0.0)
    if x.is_floating_point() and bias in (0, lambd):
        return F.softshrink(x, lambd) if bias else F.hardshrink(x, lambd)
    moved = torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, 0))
    return moved.to(x.dtype)


def named(name: str, alpha: float | None = None, beta: float | None = None) -> Callable[[Tensor], Tensor]:
    """An activation that another operation names, of a recurrent cell or after a dense layer, in letters of any case.

    Arguments:
        beta: The second number that it takes, whatever its name.

    Raises:
        ValueError: The standard has none of this name.
    """
    name = name.lower()
    if name in PLAIN:
        return PLAIN[name]
    if name not in SCALED:
        raise ValueError(f"no activation {name!r}")
    function, *defaults = SCALED[name]
    given = [default if one is None else one for one, default in zip((alpha, beta), defaults, strict=False)]
    return lambda x: function(x, *given)


PLAIN: dict[str, Callable[[Tensor], Tensor]] = {kind.lower(): function for kind, function in ONE.items()}
SCALED: dict[str, tuple[Any, ...]] = {  # and the defaults of alpha and beta
    "affine": (lambda x, a, b: a * x + b, 1.0, 0.0), "scaledtanh": (lambda x, a, b: a * (b * x).tanh(), 1.0, 1.0),
    "hardsigmoid": (lambda x, a, b: F.hardtanh(a * x + b, 0.0, 1.0), 0.2, 0.5), "leakyrelu": (F.leaky_relu, 0.01),
    "elu": (F.elu, 1.0), "celu": (F.celu, 1.0), "selu": (lambda x, a, g: g * F.elu(x, a), *SELU),
    "thresholdedrelu": (lambda x, a: F.threshold(x, a, 0.0), 1.0),
}  # fmt: skip


@operation("Softmax")
def softmax(node: Node, x: Tensor) -> Tensor:
    rows, axis = _rows(node, x)
    return rows.softmax(axis).view(x.shape)


@operation("BiasSoftmax", domain="com.microsoft")
def biased_softmax(node: Node, x: Tensor, bias: Tensor) -> Tensor:
    """Softmax of masked scores, over all axes from `axis` on."""
    rows, axis = _rows(replace(node, opset=1), x + bias)
    return rows.softmax(axis).view(x.shape)


@operation("LogSoftmax")
def log_softmax(node: Node, x: Tensor) -> Tensor:
    rows, axis = _rows(node, x)
    return rows.log_softmax(axis).view(x.shape)


@operation("Hardmax")
def hardmax(node: Node, x: Tensor) -> Tensor:
    """One at the first of the largest numbers, zero elsewhere."""
    rows, axis = _rows(node, x)
    first = rows.argmax(axis, keepdim=True)
    return torch.zeros_like(rows).scatter(axis, first, 1).view(x.shape)


def _rows(node: Node, x: Tensor) -> tuple[Tensor, int]:
    """What a softmax is over: one axis; before version 13 all axes from `axis` on, laid out as one."""
    if node.opset >= 13:
        return x, node.get("axis", -1)
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    if axis == x.dim() - 1:
        return x, -1
    return x.reshape(x.shape[:axis].numel(), -1), 1
