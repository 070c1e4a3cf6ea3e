"""ONNX's Slice for converted graphs: that of onnx2torch indexes with a list, which PyTorch deprecates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Slice(nn.Module):
    """x[start:end:step] along some axes; a negative step walks backwards, as in numpy.

    Example:
        >>> Slice()(torch.arange(6).view(2, 3), torch.tensor([2]), torch.tensor([-99]), torch.tensor([1]), torch.tensor([-1]))
        tensor([[2, 1, 0],
                [5, 4, 3]])
    """

    def forward(self, x: Tensor, starts: Tensor, ends: Tensor, axes: Any = None, steps: Any = None) -> Tensor:
        count = len(starts)
        axes = range(count) if axes is None else axes
        steps = [1] * count if steps is None else steps
        for start, end, axis, step in zip(*(map(int, part) for part in (starts, ends, axes, steps)), strict=True):
            x = _along(x, start, end, axis, step)
        return x


def _along(x: Tensor, start: int, end: int, axis: int, step: int) -> Tensor:
    first, last, stride = slice(start, end, step).indices(x.shape[axis])
    if stride > 0:
        whole = [slice(None)] * x.dim()
        whole[axis] = slice(first, max(first, last), stride)
        return x[tuple(whole)]
    return x.index_select(axis, torch.arange(first, last, stride, device=x.device))
