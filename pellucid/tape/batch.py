"""Batch: which axis of a value counts the samples, followed through permutations, views and windows. Stored on every value."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

Shape = tuple[int, ...]

# Operations that return the same entries in the same order in another shape.
VIEWS = frozenset(
    """view _unsafe_view reshape _reshape_alias _reshape_copy view_copy flatten unflatten squeeze unsqueeze squeeze_copy
    unsqueeze_copy""".split()
)
PERMUTED = frozenset("permute permute_copy transpose transpose_copy swapaxes t t_copy".split())
TRANSFORMED = frozenset("_fft_r2c _fft_c2c _fft_c2r".split())
REDUCTIONS = frozenset("mean sum nansum amax amin max min var std var_mean std_mean logsumexp prod median argmax argmin".split())


class Batch(NamedTuple):
    """Entry j along `axis` belongs to sample (j // every) % samples.

    Alone on an axis the samples have every = 1. Windows of a picture make them the slow part of a longer axis (every > 1), a
    sequence that comes before its batch makes them the fast part.
    """

    axis: int
    every: int = 1

    def owners(self, length: int, samples: int, device: torch.device | None = None) -> Tensor:
        """The sample of each entry along the axis.

        Example:
            >>> Batch(0, every=2).owners(8, samples=2)
            tensor([0, 0, 1, 1, 0, 0, 1, 1])
        """
        return torch.arange(length, device=device) // self.every % samples


class SampleAxis(Protocol):
    """Where the samples lie: regularly, as in a `Batch`, or irregularly, row by row."""

    @property
    def axis(self) -> int: ...

    def owners(self, length: int, samples: int, device: torch.device | None = None) -> Tensor:
        """The sample of each entry along the axis."""
        ...


def per_sample(t: Tensor, batch: SampleAxis | None, samples: int) -> Tensor:
    """The sum of t per sample.

    Example:
        >>> t = torch.tensor([1.0, 2.0, 3.0, 4.0])
        >>> per_sample(t, Batch(0, every=2), 2), per_sample(t, Batch(0), 2)
        (tensor([3., 7.]), tensor([4., 6.]))
    """
    if samples == 1:
        return t.sum().reshape(1)
    if batch is None:  # samples mixed: they cannot be told apart
        return (t.sum() / samples).expand(samples)
    if isinstance(batch, Batch) and batch.axis == 0 and t.dim() > 1 and t.shape[0] == samples:
        return t.sum(tuple(range(1, t.dim())))
    if isinstance(batch, Batch):
        return by_sample(t, batch, samples).sum((0, 2))
    rows = t.movedim(batch.axis, 0).flatten(1).sum(1) if t.dim() > 1 else t.reshape(-1)
    return t.new_zeros(samples).index_add(0, batch.owners(len(rows), samples, t.device), rows)


def by_sample(t: Tensor, batch: Batch, samples: int) -> Tensor:
    """The entries of t as (slower, sample, faster)."""
    rows = t.movedim(batch.axis, 0)
    return rows.reshape(-1, samples, batch.every * prod(rows.shape[1:]))


def along(each: Tensor, batch: SampleAxis, like: Tensor) -> Tensor:
    """One number per sample in a shape that broadcasts against `like`."""
    owners = batch.owners(like.shape[batch.axis] if like.dim() else 1, len(each), like.device)
    return each[owners].reshape(*[-1 if d == batch.axis else 1 for d in range(like.dim())])


def follow(name: str, args: Sequence[Any], before: Shape, batch: Batch | None, after: Shape, samples: int) -> Batch | None:
    """Where the samples lie after an operation, given where they lay before; None when that is not known.

    Example:
        >>> follow("permute", (None, (1, 0, 2)), (4, 7, 5), Batch(0), (7, 4, 5), 4)
        Batch(axis=1, every=1)
        >>> follow("view", (None, (28, 5)), (7, 4, 5), Batch(1), (28, 5), 4)
        Batch(axis=0, every=1)
        >>> follow("view", (None, (28, 5)), (4, 7, 5), Batch(0), (28, 5), 4)
        Batch(axis=0, every=7)
    """
    if batch is None or not after:
        return None
    axis, every = batch
    if name in TRANSFORMED and args[1] == axis:  # samples mix
        return None
    if name in VIEWS:
        strides = [prod(after[d + 1 :]) for d in range(len(after))]
        return _digit(every * prod(before[axis + 1 :]), after, strides, samples)
    if name == "as_strided":
        return _digit(every * prod(before[axis + 1 :]), after, args[2], samples)
    moved = _moved(name, args, before, axis, len(after))
    if moved is not None and moved < len(after) and after[moved] == before[axis]:
        return Batch(moved, every)
    return None


def rearranges(name: str, args: Sequence[Any], axis: int, dims: int) -> bool:
    """Whether an operation puts the entries along an axis into another order.

    Example:
        >>> rearranges("index_select", (None, 0, None), 0, 3), rearranges("flip", (None, (2,)), 0, 3)
        (True, False)
    """
    if name == "index_select":
        return bool(args[1] % dims == axis)
    if name in ("flip", "roll"):
        moved = args[1] if name == "flip" else args[2] if len(args) > 2 else range(dims)
        return axis in {d % dims for d in ([moved] if isinstance(moved, int) else moved)}
    return name == "index" and len(args[1]) > axis and args[1][axis] is not None


def _moved(name: str, args: Sequence[Any], before: Shape, axis: int, dims: int) -> int | None:
    """Where an axis went, in an operation that keeps its entries together."""
    n = len(before)
    if name in PERMUTED:
        return permutation(name, args, n).index(axis)
    if name in ("select", "unbind", "select_copy", "unbind_copy"):
        return _without([args[1] if len(args) > 1 else 0], n, axis)
    if name in REDUCTIONS and dims < n:
        axes = args[1] if len(args) > 1 else None
        return _without(range(n) if axes is None or axes == () else [axes] if isinstance(axes, int) else axes, n, axis)
    if name == "stack":
        place = (args[1] if len(args) > 1 else 0) % (n + 1)
        return axis + (place <= axis)
    return axis + max(dims - n, 0) if name in ("expand", "add", "sub", "mul", "div", "expand_copy") else axis


def permutation(name: str, args: Sequence[Any], n: int) -> list[int]:
    """The axes of what an operation of `PERMUTED` read, in the order in which it returns them.

    Example:
        >>> permutation("transpose", (None, 0, -1), 3)
        [2, 1, 0]
    """
    if name.startswith("permute"):
        return [d % n for d in args[1]]
    a, b = (d % n for d in args[1:3]) if len(args) > 2 else (0, n - 1)
    order = list(range(n))
    order[a], order[b] = b, a
    return order


def _without(dims: Sequence[int], n: int, axis: int) -> int | None:
    """Where an axis is once the axes `dims` are gone."""
    gone = {d % n for d in dims}
    return None if axis in gone else axis - sum(d < axis for d in gone)


def _digit(step: int, shape: Shape, strides: Sequence[int], samples: int) -> Batch | None:
    """The axis along which the samples change, when they change every `step` entries of a storage."""
    for axis, (length, stride) in enumerate(zip(shape, strides, strict=True)):
        if stride and step % stride == 0 and length % (step // stride * samples) == 0:
            return Batch(axis, step // stride)
    return None
