"""Sums, products, powers, roots, and the functions of trigonometry."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from ..operation import Node, operation
from .elementwise import Two, aligned, number, of_one, of_two
from .unsigned import UNSIGNED, in_order, quotient, wrapped

ONE = {
    "Neg": torch.neg, "Reciprocal": torch.reciprocal, "Sqrt": torch.sqrt, "Exp": torch.exp, "Log": torch.log,
    "Ceil": torch.ceil, "Floor": torch.floor, "Round": torch.round,
    "Sin": torch.sin, "Cos": torch.cos, "Tan": torch.tan, "Asin": torch.asin, "Acos": torch.acos, "Atan": torch.atan,
    "Sinh": torch.sinh, "Cosh": torch.cosh, "Asinh": torch.asinh, "Acosh": torch.acosh, "Atanh": torch.atanh,
}  # fmt: skip
TWO: dict[str, Two] = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul}
SEVERAL = {"Max": torch.maximum, "Min": torch.minimum}

for _kind, _one in ONE.items():
    operation(_kind)(of_one(_one))
for _kind, _two in TWO.items():
    operation(_kind)(wrapped(of_two(_two)))


@operation("Abs")
def absolute(node: Node, x: Tensor) -> Tensor:
    return x if x.dtype in UNSIGNED else x.abs()


@operation("Sign")
def sign(node: Node, x: Tensor) -> Tensor:
    return (x != 0).to(x.dtype) if x.dtype in UNSIGNED else x.sign()


@operation("Div")
def divide(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """a / b; whole numbers without the remainder."""
    return _divide(a, aligned(node, a, b))


def _divide(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return a / b
    if a.dtype is torch.uint64:
        return quotient(a, b)
    whole = a.to(torch.int64) if a.dtype in UNSIGNED else a
    return torch.div(whole, b.to(whole.dtype), rounding_mode="trunc").to(a.dtype)


@operation("Mod")
def modulo(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """The remainder, with the sign of b, or with that of a (`fmod`)."""
    if a.dtype in UNSIGNED:
        n, d, times = (x.to(torch.int64) for x in (a, b, _divide(a, b)))
        return (n - times * d).to(a.dtype)
    return torch.fmod(a, b) if node.get("fmod") else torch.remainder(a, b)


@operation("Pow")
def power(node: Node, x: Tensor, exponent: Tensor) -> Tensor:
    """x to the exponent, in the numbers of x."""
    y = aligned(node, x, exponent)
    if x.is_floating_point():
        constant = number(y) if y.dim() <= x.dim() else None
        return x.pow(y if constant is None else constant).to(x.dtype)
    whole = not y.is_floating_point()
    base = x.to(torch.int64 if whole else torch.float64)
    return base.pow(y.to(base.dtype)).to(x.dtype)


@operation(*SEVERAL)
@in_order
def extreme(node: Node, *tensors: Tensor) -> Tensor:
    """The largest, or smallest, of the numbers in each place."""
    return reduce(SEVERAL[node.kind], tensors)


@operation("Sum")
def add_all(node: Node, *tensors: Tensor) -> Tensor:
    return reduce(torch.add, tensors)


@operation("Mean")
def mean(node: Node, *tensors: Tensor) -> Tensor:
    return reduce(torch.add, tensors) / len(tensors)


@operation("Clip")
@in_order
def clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Numbers outside low ... high are set to the bound; the bounds are attributes before version 11."""
    if node.opset < 11:
        return _between(x, node.get("min"), node.get("max"))
    bounds = number(low), number(high)
    fixed = all(given is None or known is not None for given, known in zip((low, high), bounds, strict=True))
    if fixed and x.is_floating_point():
        return _between(x, *bounds)
    return x if low is None and high is None else x.clamp(low, high)


def _between(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Spelled as networks in PyTorch spell it: a ReLU, or one with a cap, where it is one."""
    if low is None and high is None:
        return x
    if high is None or low is None:
        return x.relu() if low == 0 else x.clamp(low, high)
    return torch.nn.functional.hardtanh(x, low, high) if low < high else x.clamp(low, high)
