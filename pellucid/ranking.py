"""Ranks: where values stand among others."""

from __future__ import annotations

import torch
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
