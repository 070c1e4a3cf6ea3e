"""Entries that are looked up, put in place, chosen and counted by their positions."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operation import Node, axes_of, integers, operation
from .text import moving

REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operation("Gather")
@moving
def gather(node: Node, x: Tensor, at: Tensor) -> Tensor:
    """Slices of `x` along an axis, in the shape of their positions; negative ones count from the end."""
    axis = node.get("axis", 0) % x.dim()
    before = (slice(None),) * axis
    at = at.long()
    return x[(*before, at)] if at.dim() else x[(*before, at[None])].squeeze(axis)


@operation("GatherElements")
@moving
def gather_elements(node: Node, x: Tensor, at: Tensor) -> Tensor:
    axis = node.get("axis", 0)
    return x.gather(axis, from_the_start(at, x.shape[axis]))


@operation("GatherND")
@moving
def gather_nd(node: Node, x: Tensor, at: Tensor) -> Tensor:
    """Slices at positions along the first axes, which the last axis of `at` lists, sample by sample along `batch_dims` axes."""
    shared = node.get("batch_dims", 0)
    rows = [
        torch.arange(x.shape[axis], device=x.device).view([-1 if other == axis else 1 for other in range(at.dim() - 1)])
        for axis in range(shared)
    ]
    return x[(*rows, *at.long().unbind(-1))]


@operation("ScatterElements", "Scatter")
@moving
def scatter_elements(node: Node, x: Tensor, at: Tensor, updates: Tensor) -> Tensor:
    """Entries along an axis replaced, or added to, multiplied by, raised or lowered to updates."""
    axis, reduction = node.get("axis", 0), node.get("reduction", "none")
    at = from_the_start(at, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, at, updates)
    if reduction == "add":
        return x.scatter_add(axis, at, updates)
    return x.scatter_reduce(axis, at, updates, REDUCTIONS[reduction])


@operation("ScatterND")
@moving
def scatter_nd(node: Node, x: Tensor, at: Tensor, updates: Tensor) -> Tensor:
    """Slices at positions along the first axes replaced, or added to, multiplied by, raised or lowered to updates."""
    reduction = node.get("reduction", "none")
    positions = tuple(at.long().unbind(-1))
    if reduction in ("none", "add"):
        return x.index_put(positions, updates, accumulate=reduction == "add")
    sizes = x.shape[: len(positions)]
    row = torch.zeros_like(positions[0])
    for position, size in zip(positions, sizes, strict=True):
        row = row * size + from_the_start(position, size)
    flat = x.reshape(sizes.numel(), -1)
    rows = row.reshape(-1, 1).expand(-1, flat.shape[1])
    return flat.scatter_reduce(0, rows, updates.reshape(rows.shape), REDUCTIONS[reduction]).view(x.shape)


@operation("TensorScatter")
def tensor_scatter(node: Node, cache: Tensor, update: Tensor, start: Tensor | None = None) -> Tensor:
    """A cache with `update` written along an axis from `start` of each sample on, round its end where it is circular."""
    axis = node.get("axis", -2) % cache.dim()
    first = start if start is not None else torch.zeros(len(cache), dtype=torch.int64, device=cache.device)
    at = first.long()[:, None] + torch.arange(update.shape[axis], device=cache.device)
    at = at % cache.shape[axis] if node.get("mode", "linear") == "circular" else at
    at = at.view(len(cache), *(update.shape[axis] if other == axis else 1 for other in range(1, cache.dim())))
    return cache.scatter(axis, at.expand(update.shape), update)


@operation("Slice")
@moving
def slice_(
    node: Node, x: Tensor, starts: Tensor | None = None, ends: Tensor | None = None,
    axes: Tensor | None = None, steps: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Part of an axis, or of several; backwards where a step is negative."""
    first, last = axes_of(node, starts, "starts") or [], axes_of(node, ends, "ends") or []
    along = axes_of(node, axes) or range(len(first))
    strides = integers(steps) or [1] * len(first)
    parts = [slice(None)] * x.dim()
    for axis, start, end, step in zip(along, first, last, strides, strict=True):
        size = x.shape[axis]
        start, end, _ = slice(start, end, step).indices(size)
        if step < 0:  # counted from the other end
            x, start, end = x.flip(axis), size - 1 - start, size - 1 - end
        parts[axis] = slice(start, max(start, end), abs(step))
    return x[tuple(parts)]


@operation("Where")
@moving
def where(node: Node, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)


@operation("Compress")
@moving
def compress(node: Node, x: Tensor, condition: Tensor) -> Tensor:
    """The slices along an axis, or the entries, where a condition holds; beyond its end it does not."""
    axis = node.get("axis")
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    return x.index_select(axis, condition.nonzero().flatten())


@operation("NonZero")
def nonzero(node: Node, x: Tensor) -> Tensor:
    """Positions of what is not zero, a row per axis."""
    return (x if x.dim() else x[None]).nonzero().T


@operation("OneHot")
def one_hot(node: Node, at: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    """The second of two values at a position along a new axis, the first one elsewhere."""
    (count,) = integers(depth)
    axis = node.get("axis", -1) % (at.dim() + 1)
    at = from_the_start(at.long(), count).unsqueeze(axis)
    hot = at == torch.arange(count, device=at.device).view(-1, *[1] * (at.dim() - 1 - axis))
    return torch.where(hot, values[1], values[0])


@operation("Unique")
def unique(node: Node, x: Tensor) -> tuple[Tensor, ...]:
    """Different entries, or slices along an axis, in order or as they come; where each is first, which each is, how often."""
    axis = node.get("axis")
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    found, which, counts = torch.unique(x, dim=axis, return_inverse=True, return_counts=True)
    places = torch.arange(len(which), device=x.device)
    first = places.new_full((len(counts),), len(which)).scatter_reduce(0, which, places, "amin")
    if not node.get("sorted", 1):
        order = first.argsort()
        found, first, which, counts = found.index_select(axis, order), first[order], order.argsort()[which], counts[order]
    return found, first, which, counts


@operation("ReverseSequence")
@moving
def reverse_sequence(node: Node, x: Tensor, lengths: Tensor) -> Tensor:
    """The first `lengths` steps of each sample backwards."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    steps, ends = torch.arange(x.shape[time], device=x.device), lengths.long()
    steps, ends = steps.unsqueeze(batch), ends.unsqueeze(time)
    at = torch.where(steps < ends, ends - 1 - steps, steps)
    return x.gather(time, at.view(*at.shape, *[1] * (x.dim() - 2)).expand(x.shape))


def from_the_start(at: Tensor, size: int) -> Tensor:
    """Positions of which negative ones count from the end of an axis of that size, counted from its start."""
    at = at.long()
    return torch.where(at < 0, at + size, at)
