"""PyTorch's fused transformer layers, which scripted code takes in eval mode, decomposed into attention and products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CAUSAL, PADDING = 0, 1  # the numbers of masks: over pairs of tokens, over tokens; anything else: over heads and pairs


def encoder_layer(
    x: Tensor, width: int, heads: int, w_in: Tensor, b_in: Tensor, w_out: Tensor, b_out: Tensor,
    gelu: bool, before: bool, eps: float, *weights: Any,
) -> Tensor:  # fmt: skip
    """One layer of `torch.nn.TransformerEncoder`: attention and two dense layers, each beside a residual connection.

    Arguments:
        before: Whether norms stand before what they norm, and not after the sum.
        weights: Of the first and the second norm, of the two dense layers, each with its bias; then a mask and its number.
    """
    g1, c1, g2, c2, w1, b1, w2, b2, *masked = weights

    def norm(y: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.layer_norm(y, (width,), weight, bias, eps)

    def attend(y: Tensor) -> Tensor:
        q, k, v = F.linear(y, w_in, b_in).chunk(3, -1)
        return F.linear(_attended(q, k, v, heads, *masked)[0], w_out, b_out)

    def feed(y: Tensor) -> Tensor:
        z = F.linear(y, w1, b1)
        return F.linear(F.gelu(z) if gelu else z.relu(), w2, b2)

    x = x.contiguous()  # as the kernel returns it
    if before:
        x = x + attend(norm(x, g1, c1))
        return x + feed(norm(x, g2, c2))
    x = norm(x + attend(x), g1, c1)
    return norm(x + feed(x), g2, c2)


def attention(
    query: Tensor, key: Tensor, value: Tensor, width: int, heads: int, w_in: Tensor, b_in: Tensor, w_out: Tensor, b_out: Tensor,
    mask: Tensor | None = None, need_weights: bool = True, average: bool = True, mask_kind: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`torch.nn.MultiheadAttention`, and its weights."""
    q, k, v = map(F.linear, (query, key, value), w_in.chunk(3), b_in.chunk(3))
    y, A = _attended(q, k, v, heads, mask, mask_kind)
    weights = (A.mean(1) if average else A) if need_weights else y.new_empty(0)
    return F.linear(y, w_out, b_out), weights


def _attended(
    q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, mask_kind: int | None = None
) -> tuple[Tensor, Tensor]:
    """softmax(q k^T / sqrt(d)) v per head, side by side; and the softmax."""
    batch, _, width = q.shape
    q, k, v = (t.view(batch, -1, heads, width // heads).transpose(1, 2) for t in (q, k, v))
    scores = q @ k.transpose(-2, -1) / (width // heads) ** 0.5
    if mask is not None:
        shape = {CAUSAL: (1, 1, *mask.shape[-2:]), PADDING: (batch, 1, 1, -1)}.get(-1 if mask_kind is None else mask_kind)
        wide = mask if shape is None else mask.reshape(shape)
        scores = scores.masked_fill(wide, float("-inf")) if mask.dtype == torch.bool else scores + wide
    A = scores.softmax(-1)
    return (A @ v).transpose(1, 2).reshape(batch, -1, width), A


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    "_transformer_encoder_layer_fwd": encoder_layer,
    "_native_multi_head_attention": attention,
}
