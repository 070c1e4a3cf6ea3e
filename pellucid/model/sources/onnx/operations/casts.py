"""Numbers in another format, and text as numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import constants
from ..operation import Node, operation

BITS = {"uint4": 4, "int4": 4, "uint2": 2, "int2": 2}
ROUNDED_TO_LARGEST = {torch.float8_e4m3fn: 464.0}  # what is above becomes NaN; the other formats of 8 bits do so by themselves


@operation("Cast")
def cast(node: Node, x: Any) -> Any:
    """The same numbers in the format `to`."""
    return _in_format(node, x, constants.format_name(node.get("to")))


@operation("CastLike")
def cast_like(node: Node, x: Any, like: Any) -> Any:
    """The same numbers in the format of others, which PyTorch may hold in a larger one than the file says."""
    number = node.formats[1] if node.formats else 0
    if number:
        return _in_format(node, x, constants.format_name(number))
    return converted(node, _numbers(x), like.dtype) if isinstance(like, Tensor) else _text(x)


def _in_format(node: Node, x: Any, name: str) -> Any:
    if name == "string":
        return _text(x)
    if name in BITS:
        return low_bits(_numbers(x), name)
    return four_bits(_numbers(x)) if name == "float4e2m1" else converted(node, _numbers(x), constants.dtype(name))


def converted(node: Node, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Numbers in a format of PyTorch's, those of 8 bits as the node says: what is too large is the largest, or no number."""
    if dtype is torch.float8_e8m0fnu:
        return _power_of_two(x.float(), bool(node.get("saturate", 1)), node.get("round_mode", "up"))
    if dtype in constants.EIGHT_BITS.values():
        largest = torch.finfo(dtype).max
        if node.get("saturate", 1):
            return x.float().clamp(-largest, largest).to(dtype)
        limit = ROUNDED_TO_LARGEST.get(dtype, torch.inf)
        return x.float().masked_fill(x.float().abs() > limit, torch.nan).to(dtype)
    return x.to(dtype)


def low_bits(x: Tensor, name: str) -> Tensor:
    """Whole numbers of two or four bits, in bytes; more bits are cut off."""
    size = 2 ** BITS[name]
    low = x.to(torch.int64).bitwise_and(size - 1)
    return low.to(torch.uint8) if name.startswith("u") else low.sub(size * (low >= size // 2)).to(torch.int8)


def four_bits(x: Tensor) -> Tensor:
    """The nearest of 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, of two as near the one whose last bit is zero."""
    x = x.float().nan_to_num(-0.0)
    step = 2 ** (x.abs().clamp(1, 4).log2().floor() - 1)
    return ((x / step).round() * step).clamp(-6, 6)


def _power_of_two(x: Tensor, saturate: bool, rounding: str) -> Tensor:
    """The exponent of a number alone, of eight bits: that of the power of two at or above it ("up"), below it, or nearest."""
    bits = x.view(torch.int32)
    exponent, fraction = (bits >> 23) & 0xFF, bits & 0x7FFFFF
    half = 0x400000
    more = {
        "up": fraction > 0, "down": torch.zeros_like(fraction, dtype=torch.bool),
        "nearest": (fraction > half) | ((fraction == half) & (exponent > 0)),
    }[rounding]  # fmt: skip
    if saturate:
        more = more & (exponent != 0xFE)
    rounded = torch.where(exponent == 0xFF, 0xFF, exponent + more)
    return rounded.to(torch.uint8).view(torch.float8_e8m0fnu)


@operation("BitCast")
def reinterpret(node: Node, x: Tensor) -> Tensor:
    """The same bits as numbers of another format of the same size."""
    name = constants.format_name(node.get("to"))
    return low_bits(x, name) if name in BITS else x.view(constants.dtype(node.get("to")))


def _text(x: Any) -> Any:
    """Numbers as onnxruntime writes them, nested as they are shaped."""
    return _each(x.tolist(), _spelled) if isinstance(x, Tensor) else x


def _spelled(value: float) -> str:
    text = f"{value:.8g}" if isinstance(value, float) else str(int(value))
    return {"nan": "NaN", "inf": "INF", "-inf": "-INF"}.get(text, text)


def _numbers(x: Any) -> Tensor:
    """Text as the numbers that it spells; whole ones stay exact."""
    if isinstance(x, Tensor):
        return x
    values = _each(x, _number)
    return torch.tensor(values, dtype=torch.int64 if _whole(values) else torch.float64)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _whole(values: Any) -> bool:
    return all(map(_whole, values)) if isinstance(values, list) else isinstance(values, int)


def _each(values: Any, function: Any) -> Any:
    return [_each(one, function) for one in values] if isinstance(values, list) else function(values)
