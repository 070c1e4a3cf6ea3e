"""The rescale rule for selections: maxima, poolings and ranks, whose output is one of the entries of the input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from .two_passes import Pair

Rule = Callable[[Pair, Tensor], Tensor | None]
SIGNS = {"max": 1, "amax": 1, "maximum": 1, "min": -1, "amin": -1, "minimum": -1}  # others choose by rank


# -- entries to choose from, in rows --------------------------------------------------------------------------------------


def rows(t: Tensor, dims: Sequence[int]) -> Tensor:
    """t with the axes `dims` as one, the last.

    Example:
        >>> rows(torch.zeros(2, 3, 4, 5), [1, 3]).shape
        torch.Size([2, 4, 15])
    """
    dims = [d % t.dim() for d in dims]
    rest = [d for d in range(t.dim()) if d not in dims]
    return t.permute(*rest, *dims).reshape(*[t.shape[d] for d in rest], prod(t.shape[d] for d in dims))


def unrows(t: Tensor, shape: Sequence[int], dims: Sequence[int]) -> Tensor:
    """What `rows` made, in its former shape.

    Example:
        >>> unrows(rows(torch.zeros(2, 3, 4, 5), [1, 3]), (2, 3, 4, 5), [1, 3]).shape
        torch.Size([2, 3, 4, 5])
    """
    dims = [d % len(shape) for d in dims]
    order = [*[d for d in range(len(shape)) if d not in dims], *dims]
    return t.reshape([shape[d] for d in order]).permute([order.index(d) for d in range(len(shape))])


def reduced(t: Tensor, dims: Sequence[int], shape: Sequence[int]) -> Tensor:
    """What a reduction over `dims` of a tensor of that shape made, in rows; whether it kept the axes or not."""
    return rows(t, dims) if t.dim() == len(shape) else t.unsqueeze(-1)


# -- who is chosen --------------------------------------------------------------------------------------------------------


def greatest(x: Tensor, r: Tensor, m: Tensor, here: Tensor, there: Tensor, sign: int = 1) -> Tensor:
    """The multipliers of entries in rows, of which the greatest are chosen: entry `here` of x, entry `there` of r.

    All of the change belongs to the winner in that pass where it is greater: had it been as in the other pass, that other winner
    would have stood. Its own change is at least as large, so that the quotient lies between 0 and 1.

    References: Shrikumar et al., 2017, give no formula for max-pooling; this is that of captum's DeepLift. There, of overlapping
        windows with the same winner only one counts, and of a pooling and an activation right beside it one rule gives way to
        the gradient, so that sums are off; here every window counts, always.
    """
    z, z_r = x.gather(-1, here), r.gather(-1, there)
    winner = torch.where(sign * z >= sign * z_r, here, there)
    own = x.gather(-1, winner) - r.gather(-1, winner)
    share = torch.where(own == 0, torch.ones_like(own), (z - z_r) / own)
    return torch.zeros_like(x).scatter_add(-1, winner, m.to(x.dtype) * share)


def ranked(x: Tensor, r: Tensor, m: Tensor, here: Tensor, there: Tensor) -> Tensor:
    """The multipliers of entries in rows, of which some rank is chosen: entry `here` of x, entry `there` of r.

    Where those are two, the change is shared in proportion to the squares of their own changes. It cannot be where neither
    changed, and others only passed them by: then each has half the derivative.
    """
    change = x - r
    a, b, dz = change.gather(-1, here), change.gather(-1, there), x.gather(-1, here) - r.gather(-1, there)
    square, half = a.square() + b.square(), torch.full_like(a, 0.5)
    still = (square == 0) | (here == there)
    by_a, by_b = (torch.where(still, half, dz * t / square) for t in (a, b))
    m = m.to(x.dtype)
    return torch.zeros_like(x).scatter_add(-1, here, m * by_a).scatter_add(-1, there, m * by_b)


# -- operations -----------------------------------------------------------------------------------------------------------


def _pooled(pair: Pair, m: Tensor) -> Tensor:
    """Max-pooling, whose indices number the places within the last axes."""
    axis = -3 if "pool3d" in pair.op.name else -2
    (x,), (r,) = pair.xs, pair.rs
    a, b, m, here, there = (t.flatten(axis) for t in (x, r, m, *_indices(pair)))
    return greatest(a, b, m, here, there).reshape(x.shape)


def _chosen(pair: Pair, m: Tensor) -> Tensor | None:
    """One entry, or several by rank, along one axis, whose indices are known."""
    sign = SIGNS.get(pair.op.name)
    if len(pair.op.outs) < 2:  # of all entries
        return _extreme(pair, m) if sign else None
    (x,), (r,), dims = pair.xs, pair.rs, [_axis(pair)]
    a, b, (m, here, there) = rows(x, dims), rows(r, dims), (reduced(t, dims, x.shape) for t in (m, *_indices(pair)))
    return unrows(greatest(a, b, m, here, there, sign) if sign else ranked(a, b, m, here, there), x.shape, dims)


def _indices(pair: Pair) -> list[Tensor]:
    """Which entries are chosen, at the input and at the baseline."""
    return [indices for indices in (pair.here.op.aux[1], pair.there.op.aux[1]) if indices is not None]


def _axis(pair: Pair) -> int:
    """Along which axis an operation chooses."""
    args, name = pair.op.args, pair.op.name
    place = 2 if name in ("topk", "kthvalue") else 1
    numbers = [a for a in args[1:] if isinstance(a, int) and not isinstance(a, bool)]
    default = -1 if len(numbers) < place else numbers[place - 1]
    return int(pair.op.kwargs.get("dim", default))


def _extreme(pair: Pair, m: Tensor) -> Tensor:
    """The greatest or least of several axes."""
    (x,), (r,), sign = pair.xs, pair.rs, SIGNS[pair.op.name]
    dims = (pair.op.args[1] if len(pair.op.args) > 1 else ()) or range(x.dim())
    a, b = rows(x, dims), rows(r, dims)
    here, there = ((sign * t).argmax(-1, keepdim=True) for t in (a, b))
    return unrows(greatest(a, b, reduced(m, dims, x.shape), here, there, sign), x.shape, dims)


def extremum(pair: Pair, m: Tensor) -> list[Tensor | None]:
    """The greater, or the lesser, of several tensors, entry by entry."""
    sign, shape = SIGNS[pair.op.name], m.shape
    x, r = (torch.stack([t.expand(shape) for t in ts], -1) for ts in (pair.xs, pair.rs))
    here, there = ((sign * t).argmax(-1, keepdim=True) for t in (x, r))
    parts = greatest(x, r, m.unsqueeze(-1), here, there, sign).unbind(-1)
    return [part.sum_to_size(x.shape) for part, x in zip(parts, pair.xs, strict=True)]


SELECTED: dict[str, Rule] = {
    **dict.fromkeys(("max_pool2d_with_indices", "adaptive_max_pool2d", "fractional_max_pool2d"), _pooled),
    **dict.fromkeys(("max_pool3d_with_indices", "adaptive_max_pool3d", "fractional_max_pool3d"), _pooled),
    **dict.fromkeys(("max", "min", "sort", "topk", "kthvalue", "median"), _chosen),
    **dict.fromkeys(("amax", "amin"), _extreme),
}
