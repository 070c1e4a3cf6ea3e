"""Sums, products, extremes and norms over axes; running sums and products; the largest numbers of an axis."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..operation import Node, axes_of, integers, operation
from .unsigned import back, in_order, ordered, wrapped

Reduction = Callable[[Tensor, list[int]], Tensor]
"""A tensor and the axes to reduce, which stay with length one."""


def _sum(x: Tensor, axes: list[int]) -> Tensor:
    return x.sum(axes, keepdim=True, dtype=x.dtype)


def _mean(x: Tensor, axes: list[int]) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=True)
    total = _sum(x, axes)
    return torch.div(total, x.numel() // max(total.numel(), 1), rounding_mode="trunc").to(x.dtype)


def _product(x: Tensor, axes: list[int]) -> Tensor:
    for axis in axes:
        x = x.prod(axis, keepdim=True, dtype=x.dtype)
    return x


def _max(x: Tensor, axes: list[int]) -> Tensor:
    return _extreme(x, axes, torch.amax, torch.iinfo(x.dtype).min if _whole(x) else -torch.inf)


def _min(x: Tensor, axes: list[int]) -> Tensor:
    return _extreme(x, axes, torch.amin, torch.iinfo(x.dtype).max if _whole(x) else torch.inf)


def _extreme(x: Tensor, axes: list[int], choose: Callable[..., Tensor], of_none: float) -> Tensor:
    if all(x.shape[axis] for axis in axes):
        return choose(x, axes, keepdim=True)
    return x.new_full(_sum(x, axes).shape, bool(of_none > 0) if x.dtype is torch.bool else of_none)


def _whole(x: Tensor) -> bool:
    return not x.is_floating_point() and x.dtype is not torch.bool


def _absolute_sum(x: Tensor, axes: list[int]) -> Tensor:
    return _sum(x.abs(), axes)


def _norm(x: Tensor, axes: list[int]) -> Tensor:
    if x.is_floating_point():
        norm: Tensor = torch.linalg.vector_norm(x, 2, axes, keepdim=True)
        return norm
    return _sum(x.double().square(), axes).sqrt().to(x.dtype)


def _square_sum(x: Tensor, axes: list[int]) -> Tensor:
    return _sum(x.square(), axes)


def _log_sum(x: Tensor, axes: list[int]) -> Tensor:
    return _sum(x if x.is_floating_point() else x.double(), axes).log().to(x.dtype)


def _log_sum_exp(x: Tensor, axes: list[int]) -> Tensor:
    return torch.logsumexp(x if x.is_floating_point() else x.double(), axes, keepdim=True).to(x.dtype)


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": _sum, "ReduceMean": _mean, "ReduceProd": _product, "ReduceL1": _absolute_sum, "ReduceL2": _norm,
    "ReduceSumSquare": _square_sum, "ReduceLogSum": _log_sum, "ReduceLogSumExp": _log_sum_exp,
}  # fmt: skip
EXTREMES: dict[str, Reduction] = {"ReduceMax": _max, "ReduceMin": _min}


@operation(*REDUCTIONS)
@wrapped
def reduced(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return _reduce(node, x, axes, REDUCTIONS[node.kind])


@operation(*EXTREMES)
@in_order
def extreme(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return _reduce(node, x, axes, EXTREMES[node.kind])


def _reduce(node: Node, x: Tensor, axes: Tensor | None, reduction: Reduction) -> Tensor:
    """Over the axes named, over all where none are, or over none (`noop_with_empty_axes`)."""
    named = axes_of(node, axes)
    if not named and node.get("noop_with_empty_axes"):
        return reduction(x.unsqueeze(0), [0]).squeeze(0)
    over = sorted({axis % x.dim() for axis in named} if named else range(x.dim()))
    if not over:
        return reduction(x.unsqueeze(0), [0]).squeeze(0)
    made = reduction(x, over)
    return made if node.get("keepdims", 1) else made.squeeze(over)


@operation("ArgMax", "ArgMin")
def place(node: Node, x: Tensor) -> Tensor:
    """Where the largest (smallest) number of an axis is: the first of them, or the last."""
    choose: Callable[..., Tensor] = torch.argmax if node.kind == "ArgMax" else torch.argmin
    axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
    x = ordered(x)
    if not node.get("select_last_index"):
        return choose(x, axis, keepdim=keep)
    return choose(x.flip(axis), axis, keepdim=keep).neg().add(x.shape[axis] - 1)


@operation("CumSum", "CumProd")
@wrapped
def running(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    """The sums (products) of the numbers up to each, itself left out where `exclusive`; from the end where `reverse`."""
    (along,) = integers(axis)
    first, add_up = (0, torch.cumsum) if node.kind == "CumSum" else (1, torch.cumprod)
    x = x.flip(along) if node.get("reverse") else x
    if node.get("exclusive"):
        start = torch.full_like(x.narrow(along, 0, 1), first)
        x = torch.cat([start, x.narrow(along, 0, x.shape[along] - 1)], along)
    made = add_up(x, along, dtype=x.dtype)
    return made.flip(along) if node.get("reverse") else made


@operation("TopK")
def largest(node: Node, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k largest (smallest) numbers of an axis and their places, of equal ones the first."""
    axis, descending = node.get("axis", -1), bool(node.get("largest", 1))
    count = node.get("k") if k is None else integers(k)[0]
    values, places = ordered(x).sort(dim=axis, descending=descending, stable=True)
    return back(values.narrow(axis, 0, count), x.dtype), places.narrow(axis, 0, count)
