"""What onnxruntime makes of several operations when it optimises a transformer: sums with norms, embeddings, attention."""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..operation import Node, operation
from .attention import Bounds, Scores, attend, both, heads, joined, merged, rotated
from .normalisation import layer_norm, rms_norm

FUSED = "com.microsoft"


operation("LayerNormalization", domain=FUSED)(layer_norm)
operation("SimplifiedLayerNormalization")(rms_norm)
operation("SimplifiedLayerNormalization", domain=FUSED)(rms_norm)


@operation("SkipLayerNormalization", domain=FUSED)
def skip_layer_norm(
    node: Node, x: Tensor, skip: Tensor, scale: Tensor, shift: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Any, ...]:
    """The norm of a sum, and as the fourth output the sum itself."""
    total = x + skip if bias is None else x + bias + skip
    return F.layer_norm(total, x.shape[-1:], scale, shift, node.get("epsilon", 1e-12)), None, None, total


@operation("SkipSimplifiedLayerNormalization", domain=FUSED)
def skip_rms_norm(node: Node, x: Tensor, skip: Tensor, scale: Tensor, bias: Tensor | None = None) -> tuple[Any, ...]:
    total = x + skip if bias is None else x + bias + skip
    return F.rms_norm(total, x.shape[-1:], scale, node.get("epsilon", 1e-12)), None, None, total


@operation("EmbedLayerNormalization", domain=FUSED)
def embed_layer_norm(
    node: Node, ids: Tensor, segments: Tensor | None, words: Tensor, places: Tensor, kinds: Tensor | None,
    scale: Tensor, shift: Tensor, mask: Tensor | None = None, positions: Tensor | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """The norm of word, place and segment embeddings; how many words each text has; and the sum of the embeddings."""
    total = words[ids.long()] + (places[: ids.shape[1]] if positions is None else places[positions.long()])
    total = total if segments is None or kinds is None else total + kinds[segments.long()]
    count = torch.zeros(len(ids), dtype=torch.int32) if mask is None else mask.sum(1, dtype=torch.int32)
    return F.layer_norm(total, total.shape[-1:], scale, shift, node.get("epsilon", 1e-12)), count, total


@operation("RotaryEmbedding", domain=FUSED)
def rotary_embedding(node: Node, x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs of entries turned by angles that grow with the position, or with the place after a first position."""
    whole = x.dim() == 4
    size = 2 * cos.shape[-1]
    split = x if whole else heads(x, node.get("num_heads", 0) or x.shape[-1] // size)
    at = positions.long()
    at = at + torch.arange(split.shape[2], device=at.device) if at.numel() == 1 else at
    made = rotated(split, cos[at], sin[at], interleaved=bool(node.get("interleaved", 0)))
    return made if whole else merged(made)


@operation("Attention", domain=FUSED)
def attention(
    node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None, mask: Tensor | None = None,
    past: Tensor | None = None, added: Tensor | None = None, length: Tensor | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Self-attention with the products that make queries, keys and values of its input."""
    if length is not None or node.get("do_rotary", 0):
        raise ValueError("attention with a cache that is shared in place, or with positions that turn it")
    made = x @ weight if bias is None else F.linear(x, weight.mT, bias)
    sizes = node.get("qkv_hidden_sizes") or [made.shape[-1] // 3] * 3
    q, k, v = (heads(one, node.get("num_heads")) for one in made.split_with_sizes(sizes, -1))
    ahead = 0 if past is None else past.shape[-2]
    if past is not None:
        k, v = joined(past[0], k), joined(past[1], v)
    bounds = Bounds(ahead, right=0 if node.get("unidirectional", 0) else -1)
    made, _ = attend(q, k, v, _masked(node, mask, added, bounds, q, k), Scores(node.get("scale")))
    return (merged(made), torch.stack([k, v])) if node.outputs > 1 else (merged(made),)


@operation("RelativePositionBias", domain=FUSED)
def relative_position_bias(node: Node, table: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """What is added to scores for the distance of a key: a row of the table each, or for all in a range that grows with it.

    References:
        Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer (Raffel et al., 2020), section 2.1.
    """
    distance = torch.arange(int(keys), device=table.device) - torch.arange(int(queries), device=table.device)[:, None]
    count = len(table) // 2 if node.get("is_bidirectional", 0) else len(table)
    far = distance.abs() if node.get("is_bidirectional", 0) else (-distance).clamp(min=0)
    exact = count // 2
    share = (far.clamp(min=1) / exact).log() / log(node.get("max_distance") / exact)
    row = torch.where(far < exact, far, (exact + (share * (count - exact)).long()).clamp(max=count - 1))
    row = row + count * (distance > 0) if node.get("is_bidirectional", 0) else row
    return table[row].permute(2, 0, 1)[None]


@operation("GroupNorm", domain=FUSED)
def group_norm(node: Node, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The norm over groups of channels, which lie last where the file says no other, and SiLU where asked."""
    last = node.get("channels_last", 1)
    made = F.group_norm(x.movedim(-1, 1) if last else x, node.get("groups"), scale, shift, node.get("epsilon", 1e-5))
    made = F.silu(made) if node.get("activation") else made
    return made.movedim(1, -1) if last else made


@operation("SkipGroupNorm", domain=FUSED)
def skip_group_norm(
    node: Node, x: Tensor, scale: Tensor, shift: Tensor, skip: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The norm of a sum, and the sum."""
    wide = skip[:, None, None] if skip.dim() == 2 and x.dim() == 4 else skip
    total = x + wide if bias is None else x + wide + bias
    return group_norm(node, total, scale, shift), total


@operation("MultiHeadAttention", domain=FUSED)
def multi_head_attention(
    node: Node, q: Tensor, k: Tensor | None = None, v: Tensor | None = None, bias: Tensor | None = None,
    mask: Tensor | None = None, added: Tensor | None = None, past_key: Tensor | None = None,
    past_value: Tensor | None = None, *others: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Attention of queries to keys and values, which may come packed in one, or split in heads already."""
    if others and any(one is not None for one in others):
        raise ValueError("attention with a cache that is shared in place, or searched in beams")
    count = node.get("num_heads")
    if q.dim() == 5:  # (batch, places, heads, 3, entries)
        q, k, v = (one.transpose(1, 2) for one in q.unbind(3))
    elif k is not None and k.dim() == 5:
        k, v = (one.transpose(1, 2) for one in k.unbind(3))
    parts = [one if one.dim() == 4 else heads(one, count) for one in (q, k, v) if one is not None]
    if bias is not None:
        sizes = [count * one.shape[-1] for one in parts]
        offsets = bias.split_with_sizes(sizes)
        parts = [one + offset.view(count, 1, -1) for one, offset in zip(parts, offsets, strict=True)]
    q, k, v = parts
    ahead = 0 if past_key is None else past_key.shape[2]
    k, v = joined(past_key, k), joined(past_value, v)
    bounds = Bounds(ahead, right=0 if node.get("unidirectional", 0) else -1)
    made, _ = attend(q, k, v, _masked(node, mask, added, bounds, q, k), Scores(node.get("scale")))
    return merged(made), k, v


@operation("GroupQueryAttention", domain=FUSED)
def group_query_attention(
    node: Node, q: Tensor, k: Tensor | None, v: Tensor | None, past_key: Tensor | None, past_value: Tensor | None,
    lengths: Tensor, total: Tensor, cos: Tensor | None = None, sin: Tensor | None = None,
    positions: Tensor | None = None, added: Tensor | None = None, *others: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Causal attention whose keys and values serve several heads each, turned by position, after those of a cache."""
    if (others and any(one is not None for one in others)) or node.get("smooth_softmax", 0) == 1:
        raise ValueError("attention with a sink beside its keys, or with a cache of whole numbers")
    count, shared = node.get("num_heads"), node.get("kv_num_heads")
    if k is None or v is None:
        size = q.shape[-1] // (count + 2 * shared)
        q, k, v = q.split_with_sizes([count * size, shared * size, shared * size], -1)
    q, k, v = heads(q, count), heads(k, shared), heads(v, shared)
    first = q.shape[2] == int(total)
    before = torch.zeros_like(lengths).long().view(-1) if first else lengths.long().view(-1) + 1 - q.shape[2]
    if cos is not None and sin is not None and node.get("do_rotary", 0):
        at = before[:, None] + torch.arange(q.shape[2], device=q.device) if positions is None else positions.long()
        q, k = (rotated(one, cos[at], sin[at], interleaved=bool(node.get("rotary_interleaved", 0))) for one in (q, k))
    k, v = _cached(past_key, k, before, int(total)), _cached(past_value, v, before, int(total))
    window = node.get("local_window_size", -1)
    bounds = Bounds(before, left=window - 1 if window > 0 else -1, right=0)
    mask = bounds.allowed(q.shape[2], k.shape[2], q.device)
    mask = mask if added is None else both(added[..., : k.shape[2]], mask)
    scores = Scores(node.get("scale", 0.0) or None, node.get("softcap", 0.0))
    made, _ = attend(q, k, v, mask, scores)
    return merged(made), k, v


def _cached(past: Tensor | None, now: Tensor, before: Tensor, total: int) -> Tensor:
    """A cache with what is new written after what each sample has."""
    if past is None or not past.shape[2]:
        return now
    room = max(past.shape[2], total)
    whole = F.pad(past, (0, 0, 0, room - past.shape[2]))
    at = before[:, None] + torch.arange(now.shape[2], device=now.device)
    return whole.scatter(2, at[:, None, :, None].expand(now.shape), now)


def _masked(node: Node, mask: Tensor | None, added: Tensor | None, bounds: Bounds, q: Tensor, k: Tensor) -> Tensor | None:
    """What is added to scores: the mask in whichever form it has, what the file adds, and what is to come left out."""
    allowed = bounds.allowed(q.shape[2], k.shape[2], q.device)
    if mask is None and added is None:
        return allowed
    seen = None if mask is None else _seen(mask, len(q), k.shape[2])
    fill = node.get("mask_filter_value", -10000.0)
    bias = added if seen is None else torch.zeros_like(seen, dtype=q.dtype).masked_fill(~seen, fill)
    bias = bias if seen is None or added is None or bias is None else bias + added
    return both(bias, allowed)


def _seen(mask: Tensor, batch: int, keys: int) -> Tensor:
    """Which keys take part, with shape (batch, 1, 1 or queries, keys).

    Arguments:
        mask: How many keys each sample has; where they end and begin; or a mask of keys, of queries and keys, or with heads.
    """
    places = torch.arange(keys, device=mask.device)
    if mask.dim() == 1:
        inside = places < mask[:batch, None]
        inside = inside & (places >= mask[batch:, None]) if len(mask) == 2 * batch else inside
        return inside[:, None, None]
    held = mask.bool()
    return held[:, None, None] if mask.dim() == 2 else held[:, None] if mask.dim() == 3 else held[..., :keys]
