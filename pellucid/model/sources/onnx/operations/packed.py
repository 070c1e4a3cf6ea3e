"""Layers as the optimiser of onnxruntime writes them: weights of few bits side by side in bytes, activations within layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation
from .convolution import convolution
from .rounding import MICROSOFT


@operation("MatMulNBits", domain=MICROSOFT)
def matmul_of_few_bits(
    node: Node, x: Tensor, packed: Tensor, scales: Tensor, zeros: Tensor | None = None, order: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """x by weights of `bits` bits, which share a scale and a zero point in each block along the features that go in."""
    rows, length, size, bits = node.get("N"), node.get("K"), node.get("block_size"), node.get("bits", 4)
    blocks = -(-length // size)
    whole = unpacked(packed.reshape(rows, blocks, -1), bits)[..., :size].to(x.dtype)
    scales = scales.reshape(rows, blocks, 1).to(x.dtype)
    if order is not None:  # the block of each feature
        whole, group = whole.flatten(1)[:, :length], order.long()[:length]
        weight = (whole - _zeros(zeros, rows, blocks, bits, x)[:, group, 0]) * scales[:, group, 0]
    else:
        weight = ((whole - _zeros(zeros, rows, blocks, bits, x)) * scales).flatten(1)[:, :length]
    return F.linear(x, weight, bias)


def _zeros(zeros: Tensor | None, rows: int, blocks: int, bits: int, x: Tensor) -> Tensor:
    """A zero point per block: in the middle of the range, as decimals, or in as few bits as the weights."""
    if zeros is None:
        return x.new_full((rows, blocks, 1), 2 ** (bits - 1))
    if zeros.is_floating_point():
        return zeros.reshape(rows, blocks, 1).to(x.dtype)
    return unpacked(zeros.reshape(rows, -1), bits)[:, :blocks, None].to(x.dtype)


def unpacked(packed: Tensor, bits: int) -> Tensor:
    """Whole numbers that lie side by side in bytes along the last axis, the lowest bits first.

    Example:
        >>> unpacked(torch.tensor([0x21, 0x43], dtype=torch.uint8), 4).tolist()
        [1, 2, 3, 4]
    """
    if 8 % bits == 0:
        starts = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device)
        apart: Tensor = packed[..., None] >> starts & 2**bits - 1
        return apart.flatten(-2)
    single = (packed[..., None] >> torch.arange(8, dtype=torch.uint8, device=packed.device) & 1).flatten(-2)
    count = single.shape[-1] // bits
    digits = single[..., : count * bits].reshape(*single.shape[:-1], count, bits)
    whole: Tensor = (digits << torch.arange(bits, device=packed.device)).sum(-1)
    return whole


ACTIVATIONS: dict[str, Callable[[Tensor, Sequence[float]], Tensor]] = {
    "": lambda y, given: y,
    "Relu": lambda y, given: y.relu(),
    "Sigmoid": lambda y, given: y.sigmoid(),
    "Tanh": lambda y, given: y.tanh(),
    "LeakyRelu": lambda y, given: F.leaky_relu(y, given[0]),
    "Clip": lambda y, given: y.clamp(given[0], given[1]),
    "HardSigmoid": lambda y, given: (given[0] * y + given[1]).clamp(0, 1),
}


@operation("FusedConv", domain=MICROSOFT)
def fused_convolution(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None, other: Tensor | None = None) -> Tensor:
    """A convolution, what is added to it, and an activation."""
    y = convolution(node, x, weight, bias)
    return ACTIVATIONS[node.get("activation", "")](y if other is None else y + other, node.get("activation_params", ()))
