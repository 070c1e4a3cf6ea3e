"""Gaussian blurs, which differ in what lies beyond the border. Each keeps the order of its arithmetic: values that were stored
are reproduced to the last bit, so that what is alike on paper stays apart here.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv1d


def blurred(x: Tensor, sigma: float, border: Literal["inside", "mirror"] = "inside") -> Tensor:
    """Samples blurred along all their places, each channel by itself.

    Arguments:
        x: With shape (batch, channel, *places).
        sigma: The standard deviation, in places.
        border: "inside": what lies inside counts alone, and the Gaussian reaches as far as there are places. "mirror": places are
            mirrored at the border, those at its edge twice, and the Gaussian is cut off at 4 sigma, as SciPy does.

    Example:
        >>> x = torch.tensor([[[0.0, 0.0, 9.0, 0.0, 0.0]]])
        >>> blurred(x, 0.5).round().tolist(), blurred(x, 0.5, "mirror").round().tolist()
        ([[[0.0, 1.0, 7.0, 1.0, 0.0]]], [[[0.0, 1.0, 7.0, 1.0, 0.0]]])
    """
    for axis in range(2, x.dim()):
        line = x.movedim(axis, -1)
        x = (_inside(line, sigma) if border == "inside" else _mirrored(line, sigma)).movedim(-1, axis)
    return x


def _inside(x: Tensor, sigma: float) -> Tensor:
    at = torch.arange(x.shape[-1], dtype=torch.float64)
    weights = torch.exp(-((at[:, None] - at) ** 2) / (2 * sigma**2))  # what a place (row) gives to every place (column)
    return x @ (weights / weights.sum(0)).to(x)


def _mirrored(x: Tensor, sigma: float) -> Tensor:
    reach, side = math.ceil(4 * sigma - 0.5), x.shape[-1]
    weights = bell(torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype), sigma)
    rows = x.index_select(-1, mirrored(torch.arange(-reach, side + reach, device=x.device), side))
    smooth = conv1d(rows.reshape(-1, 1, rows.shape[-1]), (weights / weights.sum()).reshape(1, 1, -1))
    return smooth.reshape(*rows.shape[:-1], side)


def blur_matrix(side: int, sigma: float, like: Tensor) -> Tensor:
    """The blur of an axis as a matrix (side, side) whose rows sum to 1: at the border what lies inside counts alone.

    Example:
        >>> blur_matrix(3, 0.5, torch.ones(())).mul(100).round()
        tensor([[88., 12.,  0.],
                [11., 79., 11.],
                [ 0., 12., 88.]])
    """
    at = torch.arange(side, dtype=torch.float64, device=like.device)
    weights = bell(at[:, None] - at, max(sigma, 1e-6))
    return (weights / weights.sum(1, keepdim=True)).to(like.dtype)


def bell(distance: Tensor, sigma: float) -> Tensor:
    """exp(-d^2 / 2 sigma^2)."""
    return torch.exp(-0.5 * (distance / sigma).square())


def mirrored(places: Tensor, side: int) -> Tensor:
    """The places inside an axis of `side` places that those beyond its ends mirror, however far they lie.

    Example:
        >>> mirrored(torch.arange(-3, 5), 2)
        tensor([1, 1, 0, 0, 1, 1, 0, 0])
    """
    places = places.remainder(2 * side)
    return torch.minimum(places, 2 * side - 1 - places)


def smoothed(heat: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A map blurred along both axes, mirrored at the border, cut off at 3 sigma; 0 leaves it as it is.

    Arguments:
        heat: One value per place, with shape (height, width).
        sigma: The standard deviation, in places.
    """
    if sigma <= 0:
        return heat
    reach = max(1, math.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    for axis, length in enumerate(heat.shape):
        margins = [(reach, reach) if axis == side else (0, 0) for side in range(2)]
        wide = np.pad(heat, margins, mode="symmetric")
        heat = np.sum([w * wide.take(range(at, at + length), axis) for at, w in enumerate(weights / weights.sum())], axis=0)
    return heat
