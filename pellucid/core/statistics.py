"""Statistics: ranks and correlations."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def ranks(values: Tensor) -> Tensor:
    """The rank of every entry in its row, from 1, the mean of them for equal ones.

    Example:
        >>> ranks(torch.tensor([[5.0, 2.0, 2.0]]))
        tensor([[3.0000, 1.5000, 1.5000]], dtype=torch.float64)
    """
    ordered = values.sort(1).values.contiguous()
    below = torch.searchsorted(ordered, values.contiguous())
    upto = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + upto + 1).double() / 2


def pearson(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two rows; NaN where one of them is the same everywhere, up to rounding.

    Example:
        >>> a = torch.tensor([1.0, 2.0, 4.0])
        >>> round(pearson(a, -2 * a), 6), pearson(a, torch.ones(3))
        (-1.0, nan)
    """
    a, b = a.double(), b.double()
    one, other = a - a.mean(), b - b.mean()
    flat = [float(c.norm()) <= 1e-12 * float(v.norm()) or len(v) < 2 for c, v in ((one, a), (other, b))]
    if any(flat):
        return torch.nan
    return float((one @ other / (one.norm() * other.norm())).clamp(-1, 1))


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two rows, equal values sharing the mean of their ranks; NaN where one is constant.

    Example:
        >>> round(spearman(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 5.0, 6.0])), 6)
        1.0
    """
    return pearson(ranks(a[None])[0], ranks(b[None])[0])


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation; equal values share the mean of their ranks.

    References: Spearman, 1904, The proof and measurement of association between two things, https://doi.org/10.2307/1412159

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0]))
        1.0
        >>> rank_correlation(np.array([1.0, 2.0, 2.0]), np.array([0.0, 0.0, 0.0])) is None
        True
    """
    first, second = (ranks(torch.from_numpy(values.reshape(1, -1)))[0].numpy() - (values.size + 1) / 2 for values in (one, other))
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(np.clip(first @ second / size, -1, 1)) if size else None
