"""Layers that compute with whole numbers that stand for real ones: as the layer of real numbers, with its result rounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node
from ..quantised import Quantised
from .convolution import convolution
from .pooling import average_pool, global_average_pool
from .rounding import MICROSOFT, accepting, counted, dynamically_quantise, real, rounded, spread

Maybe = Tensor | None


def again(node: Node, y: Tensor, scale: Tensor, zero: Maybe, axis: int = 1) -> Quantised:
    """Real numbers rounded, in the format of the zero point."""
    name = "uint8" if zero is None else str(zero.dtype).removeprefix("torch.")
    return rounded(node, y, spread(scale, y, axis), None if zero is None else spread(zero, y, axis), name)


@accepting("QLinearConv")
@accepting("QLinearConv", domain=MICROSOFT)
def quantised_convolution(
    node: Node, x: Any, x_scale: Tensor, x_zero: Maybe, w: Any, w_scale: Tensor, w_zero: Maybe,
    scale: Tensor, zero: Maybe, bias: Maybe = None,
) -> Quantised:  # fmt: skip
    """The offset is in steps of the scales of the input and of the weights."""
    weight = real(w, spread(w_scale, w, 0), None if w_zero is None else spread(w_zero, w, 0))
    offset = None if bias is None else bias.to(scale.dtype) * (x_scale * w_scale).flatten()
    return again(node, convolution(node, real(x, x_scale, x_zero), weight, offset), scale, zero)


@accepting("QLinearMatMul")
def quantised_matmul(
    node: Node, a: Any, a_scale: Tensor, a_zero: Maybe, b: Any, b_scale: Tensor, b_zero: Maybe, scale: Tensor, zero: Maybe
) -> Quantised:
    left = real(a, _of_rows(a_scale), None if a_zero is None else _of_rows(a_zero))
    y = left @ real(b, b_scale, b_zero)
    return again(node, y.to(scale.dtype), _of_rows(scale), None if zero is None else _of_rows(zero))


def _of_rows(values: Tensor) -> Tensor:
    """One number, or one per row of a matrix."""
    return values.reshape(()) if values.numel() == 1 else values.unsqueeze(-1) if values.dim() == 1 else values


@accepting("MatMulInteger")
def whole_matmul(node: Node, a: Any, b: Any, a_zero: Maybe = None, b_zero: Maybe = None) -> Tensor | Quantised:
    """A product of whole numbers, each less its zero point."""
    dtype = _exact(a, b)
    left = counted(a, None if a_zero is None else _of_rows(a_zero), dtype)
    return _whole(left @ counted(b, b_zero, dtype), dtype)


@accepting("ConvInteger")
def whole_convolution(node: Node, x: Any, weight: Any, x_zero: Maybe = None, weight_zero: Maybe = None) -> Tensor | Quantised:
    """A convolution of whole numbers, each less its zero point."""
    dtype = _exact(x, weight)
    offset = None if weight_zero is None else spread(weight_zero, weight, 0)
    return _whole(convolution(node, counted(x, x_zero, dtype), counted(weight, offset, dtype)), dtype)


def _exact(*values: Any) -> torch.dtype:
    """Decimals that hold every sum of whole numbers; what carries derivatives is rounded later in any case."""
    return next((value.steps.dtype for value in values if isinstance(value, Quantised)), torch.float64)


def _whole(y: Tensor, dtype: torch.dtype) -> Tensor | Quantised:
    if dtype is torch.float64:
        return y.round().to(torch.int32)
    return Quantised(y, torch.ones((), dtype=dtype, device=y.device), None, torch.int32)


@accepting("MatMulIntegerToFloat", domain=MICROSOFT)
def whole_matmul_to_real(
    node: Node, a: Any, b: Any, a_scale: Tensor, b_scale: Tensor, a_zero: Maybe = None, b_zero: Maybe = None, bias: Maybe = None
) -> Tensor:
    y = real(a, a_scale, a_zero) @ real(b, b_scale, b_zero)
    return y if bias is None else y + bias


@accepting("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamically_quantised_matmul(
    node: Node, a: Tensor, b: Any, b_scale: Tensor, b_zero: Maybe = None, bias: Maybe = None
) -> Tensor:
    y: Tensor = dynamically_quantise(node, a)[0].real @ real(b, b_scale, b_zero)
    return y if bias is None else y + bias


@accepting("QGemm", domain=MICROSOFT)
def quantised_gemm(
    node: Node, a: Any, a_scale: Tensor, a_zero: Maybe, b: Any, b_scale: Tensor, b_zero: Maybe, c: Maybe = None,
    scale: Maybe = None, zero: Maybe = None,
) -> Tensor | Quantised:  # fmt: skip
    """alpha A B + C, where C is in steps of alpha and the scales of A and B; rounded where a scale of the result is given."""
    left, across = real(a, a_scale, a_zero), 0 if node.get("transB") else 1
    right = real(b, spread(b_scale, b, across), None if b_zero is None else spread(b_zero, b, across))
    alpha = node.get("alpha", 1.0)
    weight = (right if node.get("transB") else right.mT) * alpha
    offset = None if c is None else c.to(right.dtype) * (alpha * a_scale * b_scale).flatten()
    left = left.mT if node.get("transA") else left
    y = F.linear(left, weight, offset) if offset is None or offset.dim() == 1 else F.linear(left, weight) + offset
    return y if scale is None else again(node, y, scale, zero)


def _of_one(function: Callable[[Node, Tensor], Tensor]) -> Callable[..., Quantised]:
    """A layer of one input as one of whole numbers."""

    def computed(node: Node, x: Any, x_scale: Tensor, x_zero: Maybe, scale: Tensor, zero: Maybe = None) -> Quantised:
        return again(node, function(node, real(x, x_scale, x_zero)), scale, zero)

    return computed


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Quantised]:
    """A layer of two inputs as one of whole numbers."""

    def computed(
        node: Node,
        a: Any,
        a_scale: Tensor,
        a_zero: Maybe,
        b: Any,
        b_scale: Tensor,
        b_zero: Maybe,
        scale: Tensor,
        zero: Maybe = None,
    ) -> Quantised:
        return again(node, function(real(a, a_scale, a_zero), real(b, b_scale, b_zero)), scale, zero)

    return computed


def _pixels_last(function: Callable[[Node, Tensor], Tensor]) -> Callable[[Node, Tensor], Tensor]:
    """A pool, of an input with channels last where the node says so."""
    return lambda node, x: function(node, x.movedim(-1, 1)).movedim(1, -1) if node.get("channels_last", 0) else function(node, x)


def _softmax(node: Node, x: Tensor) -> Tensor:
    if node.get("opset", 13) >= 13:
        return x.softmax(node.get("axis", -1))
    return x.flatten(node.get("axis", 1)).softmax(-1).view(x.shape)


def _mean(node: Node, x: Tensor) -> Tensor:
    return x.mean(node.get("axes") or tuple(range(x.dim())), keepdim=bool(node.get("keepdims", 1)))


accepting("QLinearAdd", domain=MICROSOFT)(_of_two(torch.add))
accepting("QLinearMul", domain=MICROSOFT)(_of_two(torch.mul))
accepting("QLinearSigmoid", domain=MICROSOFT)(_of_one(lambda node, x: x.sigmoid()))
accepting("QLinearLeakyRelu", domain=MICROSOFT)(_of_one(lambda node, x: F.leaky_relu(x, node.get("alpha", 0.01))))
accepting("QLinearSoftmax", domain=MICROSOFT)(_of_one(_softmax))
accepting("QLinearReduceMean", domain=MICROSOFT)(_of_one(_mean))
accepting("QLinearAveragePool", domain=MICROSOFT)(_of_one(_pixels_last(average_pool)))
accepting("QLinearGlobalAveragePool", domain=MICROSOFT)(_of_one(_pixels_last(global_average_pool)))


@accepting("QLinearConcat", domain=MICROSOFT)
def quantised_concat(node: Node, scale: Tensor, zero: Tensor, *inputs: Any) -> Quantised:
    """Inputs that come as three: whole numbers, scale and zero point."""
    parts = [real(*inputs[at : at + 3]) for at in range(0, len(inputs), 3)]
    return again(node, torch.cat(parts, node.get("axis")), scale, zero)


@accepting("QLinearWhere", domain=MICROSOFT)
def quantised_where(
    node: Node, chosen: Tensor, a: Any, a_scale: Tensor, a_zero: Tensor, b: Any, b_scale: Tensor, b_zero: Tensor,
    scale: Tensor, zero: Tensor,
) -> Quantised:  # fmt: skip
    return again(node, torch.where(chosen, real(a, a_scale, a_zero), real(b, b_scale, b_zero)), scale, zero)
