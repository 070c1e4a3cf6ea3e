"""Comparisons, conditions, and the bits of whole numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..operation import Node, operation
from .elementwise import Two, aligned, of_one, of_two
from .unsigned import UNSIGNED, in_order, wrapped

COMPARISONS: dict[str, Two] = {
    "Less": torch.lt, "LessOrEqual": torch.le, "Greater": torch.gt, "GreaterOrEqual": torch.ge,
}  # fmt: skip
CONDITIONS: dict[str, Two] = {"And": torch.logical_and, "Or": torch.logical_or, "Xor": torch.logical_xor}
BITS: dict[str, Two] = {"BitwiseAnd": torch.bitwise_and, "BitwiseOr": torch.bitwise_or, "BitwiseXor": torch.bitwise_xor}

for _kind, _two in COMPARISONS.items():
    operation(_kind)(in_order(of_two(_two)))
for _kind, _two in CONDITIONS.items():
    operation(_kind)(of_two(_two))
for _kind, _two in BITS.items():
    operation(_kind)(wrapped(of_two(_two)))
operation("Not")(of_one(torch.logical_not))
operation("BitwiseNot")(wrapped(of_one(torch.bitwise_not)))
operation("IsNaN")(of_one(torch.isnan))


@operation("Equal")
@in_order
def equal(node: Node, a: Any, b: Any) -> Tensor:
    """Whether numbers, or texts, are the same."""
    if isinstance(a, Tensor):
        return torch.eq(a, aligned(node, a, b))
    numbers: dict[str, int] = {}
    return torch.eq(*(torch.tensor(_numbered(texts, numbers)) for texts in (a, b)))


def _numbered(texts: Any, numbers: dict[str, int]) -> Any:
    """A number for each text, the same for the same."""
    if isinstance(texts, str):
        return numbers.setdefault(texts, len(numbers))
    return [_numbered(one, numbers) for one in texts]


@operation("IsInf")
def is_infinite(node: Node, x: Tensor) -> Tensor:
    """Whether a number is infinite, of the signs that are asked for."""
    x = x.float() if x.itemsize == 1 else x
    above, below = node.get("detect_positive", 1), node.get("detect_negative", 1)
    found = torch.isinf(x)
    return found if above and below else found & (x > 0) if above else found & (x < 0) if below else torch.zeros_like(found)


@operation("BitShift")
def shift_bits(node: Node, x: Tensor, by: Tensor) -> Tensor:
    """x 2^by or x 2^-by, in as many bits as x has; what is moved out of them is lost, and numbers with a sign keep it."""
    bits = 8 * x.itemsize
    wide, steps = x.to(torch.int64), by.to(torch.int64)
    left = node.get("direction") == "LEFT"
    out = (steps < 0) | (steps >= bits)
    steps = steps.clamp(0, bits - 1)
    moved = wide << steps if left else wide >> steps
    if x.dtype is torch.uint64 and not left:
        moved = moved & ~(torch.full_like(moved, -1) << 1 << (63 - steps))
    signed = x.dtype not in UNSIGNED and x.dtype is not torch.uint8
    return torch.where(out, wide.sign().clamp(max=0) if signed and not left else 0, moved).to(x.dtype)
