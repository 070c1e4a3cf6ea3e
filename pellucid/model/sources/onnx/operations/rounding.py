"""Real numbers as whole ones and back: by a scale for all, for each entry of an axis, or for each block along it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pellucid.core.intercept import aside
from .. import constants
from ..operation import Function, Node, operation
from ..quantised import ACCEPTED, Quantised, same
from .casts import converted, four_bits

INNER = 0.49  # what is nearer than a half to the last whole number is rounded to it, not cut off
LIMITS = {"uint4": (0, 15), "int4": (-8, 7), "uint2": (0, 3), "int2": (-2, 1)}
MICROSOFT = "com.microsoft"


def accepting(*kinds: str, domain: str = "") -> Callable[[Function], Function]:
    """Register what takes quantised values as they are."""
    ACCEPTED.update((domain, kind) for kind in kinds)
    return operation(*kinds, domain=domain)


@accepting("QuantizeLinear")
@accepting("QuantizeLinear", domain=MICROSOFT)
def quantise(node: Node, x: Any, scale: Tensor, zero: Tensor | None = None) -> Quantised:
    """x / scale, rounded to the nearest whole number, plus the zero point."""
    x = x.decimals if isinstance(x, Quantised) else x
    precision = constants.dtype(node.get("precision")) if node.get("precision") else scale.dtype
    scale, spread_zero = _spread(node, x, scale, zero)
    return rounded(node, x.to(precision), scale.to(precision), spread_zero, _format(node, zero))


@accepting("DequantizeLinear")
@accepting("DequantizeLinear", domain=MICROSOFT)
def dequantise(node: Node, x: Any, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """(x - zero) scale."""
    number = node.get("output_dtype")
    made = real(x, *_spread(node, x, scale, zero))
    return made.to(constants.dtype(number)) if number else made


@operation("DynamicQuantizeLinear")
def dynamically_quantise(node: Node, x: Tensor) -> tuple[Quantised, Tensor, Tensor]:
    """In 255 steps from the least to the largest number of all, or zero; that these depend on x has no part in an explanation."""
    with aside(), torch.no_grad():
        scale, zero = _range(x)
    return rounded(node, x, scale, zero, "uint8"), scale, zero


def _range(x: Tensor) -> tuple[Tensor, Tensor]:
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, 1.0, scale)
    return scale, (-low / scale).round().clamp(0, 255).to(torch.uint8)


def _format(node: Node, zero: Tensor | None) -> str:
    """The format asked for: of the attribute, of the zero point, of bytes without a sign."""
    number = node.get("output_dtype") or (node.formats[2] if len(node.formats) > 2 else 0)
    if number:
        return constants.format_name(number)
    return "uint8" if zero is None else str(zero.dtype).removeprefix("torch.")


def _spread(node: Node, x: Any, scale: Tensor, zero: Tensor | None) -> tuple[Tensor, Tensor | None]:
    how = (node.get("axis", 1), node.get("block_size", 0))
    return spread(scale, x, *how), None if zero is None else spread(zero, x, *how)


def spread(values: Tensor, x: Any, axis: int = 1, block: int = 0) -> Tensor:
    """One scale, one per entry of an axis or one per block along it, as they broadcast against x."""
    if values.numel() == 1:
        return values.reshape(())
    if block:
        return values.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if values.dim() != 1:
        return values
    shape = [1] * len(x.shape)
    shape[axis] = -1
    return values.reshape(shape)


def rounded(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None, name: str) -> Quantised:
    """x in steps of a scale, in a format of few bits; the slope of a rounding is that of the line beneath it."""
    steps = x / scale
    if name.startswith("float"):
        return _fewer_decimals(node, steps, scale, name)
    dtype = constants.dtype(name)
    low, high = LIMITS.get(name) or (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
    offset = torch.zeros((), device=steps.device) if zero is None else zero.to(torch.float32)
    wide = steps.float() if steps.dtype in (torch.float16, torch.bfloat16) else steps
    steps = torch.clamp(wide, low - offset - INNER, high - offset + INNER)
    whole = torch.fake_quantize_per_tensor_affine(steps, 1.0, 0, -(2**31), 2**31 - 1)
    return Quantised(whole, scale, None if zero is None else offset, dtype)


def _fewer_decimals(node: Node, steps: Tensor, scale: Tensor, name: str) -> Quantised:
    dtype = constants.dtype(name)
    near = four_bits(steps) if name == "float4e2m1" else converted(node, steps, dtype).to(steps.dtype)
    return Quantised(steps + (near - steps).detach(), scale, None, dtype)


def real(x: Any, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """What whole numbers stand for."""
    return counted(x, zero, scale.dtype) * scale


def counted(x: Any, zero: Tensor | None, dtype: torch.dtype = torch.float32) -> Tensor:
    """Whole numbers less their zero point, as decimals."""
    if isinstance(x, Quantised) and same(x.zero, zero):
        return x.steps
    numbers = x.decimals if isinstance(x, Quantised) else x.to(dtype)
    return numbers if zero is None else numbers - zero.to(dtype)
