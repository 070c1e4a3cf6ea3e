"""Whole numbers without a sign of 16, 32 and 64 bits: PyTorch holds them, and they are computed with in int64."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from ..operation import Function, Node

UNSIGNED = frozenset({torch.uint16, torch.uint32, torch.uint64})
LOWEST = -(2**63)


def wrapped(function: Function) -> Function:
    """Computed in int64, and cut to the bits of the numbers given: right where low bits depend on low bits alone, as in sums."""
    return _computed(function, lambda x: x.to(torch.int64), lambda y, dtype: y.to(dtype))


def in_order(function: Function) -> Function:
    """Computed on numbers of int64 in the same order: right where numbers are compared and chosen."""
    return _computed(function, ordered, back)


def ordered(x: Tensor) -> Tensor:
    """Numbers with a sign in the same order: those of 64 bits are moved down by half their range."""
    if x.dtype not in UNSIGNED:
        return x
    y = x.to(torch.int64)
    return y ^ LOWEST if x.dtype is torch.uint64 else y


def back(y: Tensor, dtype: torch.dtype) -> Tensor:
    """Numbers that were `ordered`, in their own format again."""
    if dtype not in UNSIGNED:
        return y
    return (y ^ LOWEST if dtype is torch.uint64 else y).to(dtype)


def quotient(a: Tensor, b: Tensor) -> Tensor:
    """a / b, rounded down, for numbers of 64 bits: half of `a` is divided, then the last bit (Warren, 2012, Hacker's Delight)."""
    n, d = a.to(torch.int64), b.to(torch.int64)
    half = torch.div((n >> 1) & ~LOWEST, d, rounding_mode="trunc") << 1
    whole = half + ((n - half * d) ^ LOWEST >= d ^ LOWEST)
    return torch.where(d < 0, (n ^ LOWEST >= d ^ LOWEST).to(torch.int64), whole).to(torch.uint64)


def _computed(function: Function, there: Callable[[Tensor], Tensor], again: Callable[[Tensor, torch.dtype], Tensor]) -> Function:
    @wraps(function)
    def computed(node: Node, *inputs: Any) -> Any:
        dtype = next((x.dtype for x in inputs if isinstance(x, Tensor) and x.dtype in UNSIGNED), None)
        if dtype is None:
            return function(node, *inputs)
        made = function(node, *(there(x) if isinstance(x, Tensor) and x.dtype in UNSIGNED else x for x in inputs))
        return again(made, dtype) if made.dtype is torch.int64 else made

    return computed
