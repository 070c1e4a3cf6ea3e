"""Mixtures of experts: a product of groups of rows with a matrix each, told as one product per group."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor


def splits(args: tuple[Any, ...]) -> bool:
    """Whether these are the arguments of a grouped product of rows, each group with a matrix of its own."""
    return len(args) > 2 and isinstance(args[2], Tensor) and args[0].dim() == 2 and args[1].dim() == 3


def grouped_mm(x: Tensor, weights: Tensor, ends: Tensor, bias: Tensor | None = None, out_dtype: Any = None) -> Tensor:
    """Rows up to the first of `ends` times the first matrix, those up to the next times the second, and so on.

    Example:
        >>> grouped_mm(torch.ones(3, 1), torch.tensor([[[2.0]], [[5.0]]]), torch.tensor([1, 3])).flatten()
        tensor([2., 5., 5.])
    """
    groups = [(start, end, w) for (start, end), w in zip(pairwise([0, *ends.tolist()]), weights, strict=True) if start < end]
    made = torch.cat([x[start:end] @ w for start, end, w in groups])
    made = made if bias is None else made + bias
    return made if out_dtype is None else made.to(out_dtype)
