"""Fused kernels of scaled dot-product attention, decomposed into two matrix products and a softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, causal: bool, scale: float | None
) -> tuple[Tensor, Tensor]:
    """softmax(q k^T * scale + mask) v, as PyTorch computes it where nothing is fused; heads of keys may serve several of queries.

    Returns:
        The output, and the weights.
    """
    grouped = q.shape[-3:-2] != k.shape[-3:-2]
    y, A = torch.ops.aten._scaled_dot_product_attention_math.default(
        q, k, v, mask, dropout, causal, None, scale=scale, enable_gqa=grouped
    )
    return laid_out(y, q), A


def laid_out(t: Tensor, like: Tensor) -> Tensor:
    """t, in memory in the order of the axes of `like`, as the kernels return it: the model may view it in another shape.

    Example:
        >>> laid_out(torch.ones(2, 3, 4), torch.ones(3, 2, 4).transpose(0, 1)).stride()
        (4, 8, 1)
    """
    strides = like.stride()
    order = sorted(range(like.dim()), key=lambda d: -strides[d])
    if order == list(range(like.dim())):
        return t
    return t.permute(order).contiguous().permute([order.index(d) for d in range(like.dim())])


def on_cpu(
    q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0, causal: bool = False, *,
    attn_mask: Tensor | None = None, scale: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return attention(q, k, v, attn_mask, dropout, causal, scale)[0], q.new_empty(0)


def flash(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dropout: float = 0.0,
    causal: bool = False,
    debug: bool = False,
    *,
    scale: float | None = None,
) -> tuple[Any, ...]:
    return attention(q, k, v, None, dropout, causal, scale)[0], *_unread(q), q.shape[-2], k.shape[-2], *_unread(q)[:3]


def efficient(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, log_sum: bool, dropout: float = 0.0, causal: bool = False, *,
    scale: float | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    return attention(q, k, v, mask, dropout, causal, scale)[0], *_unread(q)


def cudnn(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, log_sum: bool, dropout: float = 0.0, causal: bool = False,
    debug: bool = False, *, scale: float | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    return attention(q, k, v, mask, dropout, causal, scale)[0], *_unread(q), q.shape[-2], k.shape[-2], *_unread(q)


def overrideable(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0, causal: bool = False,
    debug: bool = False, *, scale: float | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    return cudnn(q, k, v, mask, False, dropout, causal, debug, scale=scale)


def _unread(q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """In place of what the kernels note for their own derivative."""
    return q.new_empty(0), q.new_empty(0), q.new_empty(0)


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    "_scaled_dot_product_flash_attention_for_cpu": on_cpu,
    "_scaled_dot_product_flash_attention": flash,
    "_scaled_dot_product_efficient_attention": efficient,
    "_scaled_dot_product_cudnn_attention": cudnn,
    "_scaled_dot_product_fused_attention_overrideable": overrideable,
}
