"""Layers of transformers whose weights are whole numbers or of four bits, as the tools of onnxruntime write them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operation import Node, operation
from .fused import attention, embed_layer_norm
from .packed import unpacked
from .rounding import MICROSOFT, accepting, real, spread

# The 16 numbers that four bits stand for: evenly spread over a normal distribution, or floating point.
# References: QLoRA (Dettmers et al., 2023), Appendix E, https://doi.org/10.48550/arXiv.2305.14314
NORMAL = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
FLOATING = (0.0, 0.00520833333, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)
UNPACKED = (21, 22)  # how the standard numbers uint4 and int4, which are in bytes of their own here


@accepting("QAttention", domain=MICROSOFT)
def quantised_attention(
    node: Node, x: Any, weight: Any, bias: Tensor, x_scale: Tensor, w_scale: Tensor, mask: Tensor | None = None,
    x_zero: Tensor | None = None, w_zero: Tensor | None = None, past: Tensor | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Self-attention whose input and weights are whole numbers that stand for real ones."""
    made: tuple[Tensor, ...] = attention(node, real(x, x_scale, x_zero), real(weight, w_scale, w_zero), bias, mask, past)
    return made


@accepting("QEmbedLayerNormalization", domain=MICROSOFT)
def quantised_embed_layer_norm(
    node: Node, ids: Tensor, segments: Tensor | None, words: Any, places: Any, kinds: Any, scale: Any, shift: Any,
    mask: Tensor | None, *rest: Tensor | None,
) -> tuple[Any, ...]:  # fmt: skip
    """Tables of whole numbers, each with a scale and a zero point."""
    tables = zip((words, places, kinds, scale, shift), rest[:5], rest[5:], strict=False)
    reals = (None if table is None or by is None else real(table, by, zero) for table, by, zero in tables)
    made: tuple[Any, ...] = embed_layer_norm(node, ids, segments, *reals, mask)
    return made[:2]


@operation("MatMulBnb4", domain=MICROSOFT)
def matmul_of_four_bits(node: Node, x: Tensor, packed: Tensor, largest: Tensor) -> Tensor:
    """x by weights that are each one of 16 numbers, times the largest of their block, as bitsandbytes packs them."""
    numbers = NORMAL if node.get("quant_type", 1) else (*FLOATING, *(-number for number in FLOATING))
    both = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], 1).flatten()  # the high bits first
    rows, length, block = node.get("N"), node.get("K"), node.get("block_size")
    weight = torch.tensor(numbers, dtype=x.dtype, device=x.device)[both.long()][: rows * length]
    weight = (weight * largest.to(x.dtype).repeat_interleave(block)[: rows * length]).view(rows, length)
    return F.linear(x, weight) if node.get("transB", 1) else x @ weight


@operation("GatherBlockQuantized", domain=MICROSOFT)
def gather_of_blocks(node: Node, table: Tensor, indices: Tensor, scales: Tensor, zeros: Tensor | None = None) -> Tensor:
    """Entries of a table of whole numbers that share a scale in each block along an axis."""
    axis, across = node.get("gather_axis", 0) % table.dim(), node.get("quantize_axis", 1) % table.dim()
    bits, block = node.get("bits", 4), node.get("block_size", 128)
    in_bytes = table.dtype == torch.uint8 and node.formats[:1] not in [(number,) for number in UNPACKED]
    if in_bytes and bits < 8:
        table = unpacked(table, bits)
        zeros = None if zeros is None else unpacked(zeros, bits)[..., : scales.shape[-1]]
    at = indices.flatten().long() % table.shape[axis]
    own = at // block if axis == across else at
    width = 1 if axis == across else block or table.shape[across]
    parts = table.index_select(axis, at)
    scale = spread(scales.index_select(axis, own), parts, across, width)
    offset = 2 ** (bits - 1) if in_bytes else 0
    zero = offset if zeros is None else spread(zeros.index_select(axis, own), parts, across, width).to(scale.dtype)
    made = (parts.to(scale.dtype) - zero) * scale
    return made.reshape(*table.shape[:axis], *indices.shape, *table.shape[axis + 1 :])
