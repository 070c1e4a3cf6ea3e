"""Layers of attention between the input and the target of a tape, and how to read their weights as (sample, head, query, key)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .axes.layout import CHANNEL, Layout, layouts, places
from .batch import Batch
from .local import single_precision
from .op import Op, Tape
from .rewrite import Attention, attentions
from .seed import ResolvedTarget
from .walk import chain_rule, path, walk

Refusal = tuple[str, str]
"""What was found, and why that cannot be."""


def by_head(tape: Tape, id: int, t: Tensor) -> Tensor:
    """A tensor that lies as the value does, whose last axes are those of a matrix, as (sample, head, row, column)."""
    batch, samples = tape.values[id].batch, tape.samples
    if batch is not None and samples > 1:
        rows = t.movedim(batch.axis, 0)
        t = rows.reshape(-1, samples, batch.every, *rows.shape[1:]).transpose(0, 1)
    return t.reshape(samples, -1, *t.shape[-2:])


@dataclass(frozen=True, eq=False)
class TokenAttention:
    """All attention between the input and the target, over one row of tokens.

    Arguments:
        layers: In the order they ran.
        count: How many tokens there are.
        known: Where places lie, by value.
        ops: The operations between the input and the target.
    """

    tape: Tape
    layers: tuple[Attention, ...]
    count: int
    known: Mapping[int, Layout]
    ops: Sequence[Op]


def attention_between(tape: Tape, resolved: ResolvedTarget) -> TokenAttention | Refusal:
    """The attention layers on the way to the target, if every token attends to every other in each of them; else why not."""
    ops, known = path(tape, resolved.gradients), layouts(tape)
    layers = attentions(tape, ops)
    if any(layer.factor for layer in layers):
        return "weights of tokens on the right of what they weigh", "queries and keys cannot be told apart"
    if not layers:
        return f"no attention among its {len(ops)} operations ({_kinds(ops)})", "there are no weights of one token for another"
    for layer in layers:
        refusal = _unfit(tape, layer, known)
        if refusal is not None:
            return refusal
    counts = sorted({tape.values[layer.weights].shape[-1] for layer in layers})
    if len(counts) > 1:
        several = f"attention over {' and '.join(map(str, counts))} tokens"
        return several, "the tokens change between the layers, so that their weights cannot be chained"
    return TokenAttention(tape, layers, counts[0], known, ops)


def _unfit(tape: Tape, layer: Attention, known: Mapping[int, Layout]) -> Refusal | None:
    """Why the weights of one layer cannot be read as (sample, head, token, token)."""
    value, place = tape.values[layer.weights], layer.softmax.place
    shape = " x ".join(map(str, value.shape))
    if tape.samples > 1 and not (isinstance(value.batch, Batch) and value.batch.axis < len(value.shape) - 2):
        return f"{place} with weights of shape {shape}", "the samples of the batch cannot be told apart there"
    if value.shape[-1] != value.shape[-2]:
        return f"{place} of {value.shape[-2]} tokens over {value.shape[-1]} others", "tokens do not attend to themselves there"
    layout = known.get(layer.weights)
    if layout is None:
        return None
    if any(factor.what == CHANNEL for axis in layout[-2:] for factor in axis):
        return f"{place}, which weighs channels ({shape})", "weights between channels say nothing of places"
    elsewhere = [factor for axis in layout[:-2] for factor in axis if factor.what >= 0]
    inside = places(layout[-1])
    if elsewhere and inside:
        return f"{place} within windows of {value.shape[-1]} tokens", "a token does not attend beyond its window there"
    return None


def _kinds(ops: Sequence[Op]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for op in ops:
        if op.kind in ("convolution", "dense", "product", "softmax"):
            counts[op.kind] += 1
    return ", ".join(f"{n} of kind {kind}" for kind, n in counts.items()) or "none with weights"


@torch.no_grad()
def tokens_read(attention: TokenAttention, resolved: ResolvedTarget) -> Tensor:
    """How the target reads the tokens after the last attention, with shape (sample, token): 1 over the number of those it reads.

    The class token alone, the last word, or the mean of all: those where the gradient of the target is not zero.
    """
    last = attention.layers[-1].mix.out
    gradient = gradients_at(attention, resolved, (last,))[last]
    gradient = single_precision(gradient)
    mask = (by_head(attention.tape, last, gradient).abs().amax((1, 3)) > 0).to(gradient.dtype)
    return mask / mask.sum(1, keepdim=True).clamp(min=1)


def gradients_at(attention: TokenAttention, resolved: ResolvedTarget, ids: Sequence[int]) -> dict[int, Tensor]:
    """The gradient of the target at some values of the tape, which is kept."""
    arrived = walk(attention.tape, resolved.gradients, chain_rule, ends=ids, keep=True)
    return {i: arrived.get(i, torch.zeros(())).expand(attention.tape.values[i].shape) for i in ids}
