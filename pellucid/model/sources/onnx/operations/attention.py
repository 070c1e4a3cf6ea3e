"""Attention in its forms: softmax of products, linear with a state, turned by positions, and the short convolution beside it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import constants
from ..operation import Node, operation
from .control_flow import NOTHING, Outer


@dataclass(frozen=True)
class Bounds:
    """Which keys a query may see by their distance.

    Arguments:
        ahead: Of the first query, how many keys lie before it; one number, or one per sample with shape (batch,).
        left: How far back a key may lie; -1: as far as it likes.
        right: How far ahead.
    """

    ahead: int | Tensor = 0
    left: int = -1
    right: int = -1

    def allowed(self, queries: int, keys: int, device: torch.device) -> Tensor | None:
        """With shape (queries, keys), or (batch, 1, queries, keys); None where all are."""
        if self.left < 0 and self.right < 0:
            return None
        ahead = self.ahead.view(-1, 1, 1, 1) if isinstance(self.ahead, Tensor) else self.ahead
        distance = torch.arange(keys, device=device) - torch.arange(queries, device=device)[:, None] - ahead
        back = distance >= -self.left if self.left >= 0 else None
        forth = distance <= self.right if self.right >= 0 else None
        return forth if back is None else back if forth is None else back & forth


@operation("Attention")
def attention(
    node: Node, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, past_key: Tensor | None = None,
    past_value: Tensor | None = None, lengths: Tensor | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """softmax(q k / sqrt(d) + mask) v, with keys and values of before put in front, and those beyond `lengths` left out."""
    flat = q.dim() == 3
    if flat:
        q = heads(q, node.get("q_num_heads"))
        k, v = (heads(one, node.get("kv_num_heads")) for one in (k, v))
    ahead: int | Tensor = 0 if past_key is None else past_key.shape[2]
    if lengths is not None and past_key is None:
        ahead = lengths - q.shape[2]
    k, v = joined(past_key, k), joined(past_value, v)
    mask = padded(mask, k.shape[2])
    causal = node.get("is_causal", 0)
    left, right = node.get("left_window_size", -1), node.get("right_window_size", -1)
    bounds = Bounds(ahead, left, (0 if right < 0 else min(right, 0)) if causal else right)
    mask = both(mask, bounds.allowed(q.shape[2], k.shape[2], q.device))
    if lengths is not None:
        mask = both(mask, (torch.arange(k.shape[2], device=q.device) < lengths[:, None])[:, None, None])
    scores = Scores(
        node.get("scale"), node.get("softcap", 0.0), node.get("softmax_precision"), node.get("qk_matmul_output_mode", 0)
    )
    made, products = attend(q, k, v, mask, scores, told=node.outputs > 3)
    return (merged(made) if flat else made, k, v, *([products] if products is not None else []))


@dataclass(frozen=True)
class Scores:
    """How products of queries and keys become weights.

    Arguments:
        scale: What they are multiplied by; None: 1 / sqrt(entries).
        softcap: Where they are bent to stay below it; 0: not.
        precision: The format that the softmax is computed in, as the standard counts formats.
        stage: Which of them is told: the products, capped, with the mask, or the weights.
    """

    scale: float | None = None
    softcap: float = 0.0
    precision: int | None = None
    stage: int = 0


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scores: Scores = Scores(), *, told: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Values weighted by how queries match keys, each of shape (batch, heads, places, entries), and the products where told."""
    q_heads, k_heads = q.shape[1], k.shape[1]
    if q_heads != k_heads:
        k, v = (one.repeat_interleave(q_heads // k_heads, dim=1) for one in (k, v))
    if mask is not None:
        mask = mask.expand(*q.shape[:3], k.shape[2])
    if not told and not scores.softcap and scores.precision is None:
        mask = mask if mask is None or mask.dtype == torch.bool else mask.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, mask, scale=scores.scale or None), None
    return _step_by_step(q, k, v, mask, scores)


def _step_by_step(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scores: Scores) -> tuple[Tensor, Tensor]:
    factor = sqrt(scores.scale or 1 / sqrt(q.shape[-1]))
    raw = (q * factor) @ (k * factor).mT
    capped = scores.softcap * (raw / scores.softcap).tanh() if scores.softcap else raw
    bias = None if mask is None else as_bias(mask, capped.dtype)
    biased = capped if bias is None else capped + bias
    precise = biased if scores.precision is None else biased.to(constants.dtype(scores.precision))
    weights = (precise.softmax(-1) if bias is None else _zero_where_nothing(precise, bias)).to(q.dtype)
    return weights @ v, (raw, capped, biased, weights)[scores.stage]


def _zero_where_nothing(scores: Tensor, bias: Tensor) -> Tensor:
    """The softmax, which is zero for a query that may see no key."""
    alone = bias.isneginf().all(-1, keepdim=True)
    return scores.masked_fill(alone, 0.0).softmax(-1).masked_fill(alone, 0.0)


def as_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores: nothing where a mask holds, minus infinity elsewhere."""
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else mask


def both(mask: Tensor | None, allowed: Tensor | None) -> Tensor | None:
    """A mask or a bias, and places that are allowed."""
    if mask is None or allowed is None:
        return allowed if mask is None else mask
    return mask & allowed if mask.dtype == torch.bool else mask.masked_fill(~allowed, -torch.inf)


def padded(mask: Tensor | None, keys: int) -> Tensor | None:
    """A mask that ends before the keys do leaves out the rest."""
    if mask is None or mask.shape[-1] == keys:
        return mask
    return F.pad(mask, (0, keys - mask.shape[-1]), value=False if mask.dtype == torch.bool else -torch.inf)


def heads(x: Tensor, count: int) -> Tensor:
    """(batch, places, heads * entries) as (batch, heads, places, entries)."""
    return x.reshape(*x.shape[:2], count, x.shape[2] // count).transpose(1, 2)


def merged(x: Tensor) -> Tensor:
    """(batch, heads, places, entries) as (batch, places, heads * entries)."""
    return x.transpose(1, 2).flatten(2)


def joined(before: Tensor | None, now: Tensor) -> Tensor:
    return now if before is None else torch.cat([before, now], 2)


@operation("RotaryEmbedding")
def rotary_embedding(node: Node, x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor | None = None) -> Tensor:
    """Pairs of entries turned by angles that grow with the position."""
    cos, sin = (one if positions is None else one[positions.long()] for one in (cos, sin))
    split = heads(x, node.get("num_heads")) if x.dim() == 3 else x
    made = rotated(split, cos, sin, interleaved=bool(node.get("interleaved", 0)))
    return merged(made) if x.dim() == 3 else made


def rotated(x: Tensor, cos: Tensor, sin: Tensor, *, interleaved: bool) -> Tensor:
    """Entries of (batch, heads, places, entries) turned in pairs, as many as there are angles; the rest stays.

    Arguments:
        cos, sin: Of the angles, with shape (batch, places, pairs).
        interleaved: Whether a pair lies side by side, or half the entries apart.
    """
    cos, sin = (one.unsqueeze(-3) for one in (cos, sin))
    turned, rest = x[..., : 2 * cos.shape[-1]], x[..., 2 * cos.shape[-1] :]
    a, b = (turned[..., ::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    pair = (cos * a - sin * b, sin * a + cos * b)
    made = torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)
    return torch.cat([made, rest], -1) if rest.shape[-1] else made


@operation("LinearAttention")
def linear_attention(
    node: Node, q: Tensor, k: Tensor, v: Tensor, past: Tensor | None = None,
    decay: Tensor | None = None, beta: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A state S that fades by exp(decay), takes in k (v - S k) beta or k v, and is read by q, place by place."""
    count = node.get("kv_num_heads")
    groups = node.get("q_num_heads") // count
    queries, keys, values = (heads(one, number).float() for one, number in ((q, node.get("q_num_heads")), (k, count), (v, count)))
    fading = None if decay is None else heads(decay, count).float().exp()
    strength = None if beta is None else beta.float().mT[..., None]
    state = keys.new_zeros(len(keys), count, keys.shape[-1], values.shape[-1]) if past is None else past.float()
    rows = []
    for at in range(keys.shape[2]):
        key, value = keys[:, :, at, :, None], values[:, :, at, None]
        state = state if fading is None else state * fading[:, :, at, :, None]
        value = value if strength is None else strength[:, :, at, None] * (value - key.mT @ state)
        state = state + key * value
        rows.append(queries[:, :, at, None] @ state.repeat_interleave(groups, dim=1))
    scale = node.get("scale", 0.0) or 1 / sqrt(keys.shape[-1])
    return merged(scale * torch.cat(rows, 2)).to(q.dtype), state.to(q.dtype if past is None else past.dtype)


@operation("CausalConvWithState")
def causal_conv(
    node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None, past: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A convolution of each channel over what came before, and the end of its input for the next call."""
    before = weight.shape[-1] - 1
    whole = F.pad(x, (before, 0)) if past is None else torch.cat([past, x], -1)
    made = F.conv1d(whole, weight, bias, groups=x.shape[1])
    return made if node.get("activation", "none") == "none" else F.silu(made), whole[..., whole.shape[-1] - before :]


@operation("FlexAttention", domain="ai.onnx.preview")
def flex_attention(node: Node, q: Tensor, k: Tensor, v: Tensor, outer: Outer = NOTHING) -> Tensor:
    """Attention with graphs that change its scores before the softmax, and its weights after it."""
    k, v = (one.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for one in (k, v))
    factor = sqrt(node.get("scale", 1 / sqrt(q.shape[-1])))
    given = node.get("softmax_precision")
    wide = q.dtype if q.dtype == torch.float64 else torch.float32
    dtype = wide if given is None else constants.dtype(given)
    scores = ((q * factor) @ (k * factor).mT).to(dtype)
    weights = _changed(node.get("score_mod"), scores, outer).softmax(-1)
    return (_changed(node.get("prob_mod"), weights, outer) @ v.to(dtype)).to(v.dtype)


def _changed(graph: Any, x: Tensor, outer: Outer) -> Tensor:
    return x if graph is None else graph(x, outer=outer).to(x.dtype)
