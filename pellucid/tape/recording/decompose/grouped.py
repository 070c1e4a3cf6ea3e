"""Grouped matrix products, as in mixtures of experts, decomposed into one product per group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def grouped_mm(
    a: Tensor, b: Tensor, ends: Tensor | None = None, bias: Tensor | None = None, out_dtype: torch.dtype | None = None
) -> Tensor:
    """Rows up to ends[0] times the first matrix, rows up to ends[1] times the second, and so on.

    Example:
        >>> grouped_mm(torch.ones(3, 1), torch.tensor([[[1.0]], [[2.0]]]), torch.tensor([1, 3])).T
        tensor([[1., 2., 2.]])
    """
    if ends is None:
        product = a @ b
    else:
        last = [int(n) for n in ends.tolist()]
        sizes = [end - start for start, end in zip([0, *last], last, strict=False)]
        if a.dim() == 2:
            product = torch.cat([part @ b[k] for k, part in enumerate(a.split_with_sizes(sizes)) if len(part)])
        else:
            product = torch.cat([a[k] @ part for k, part in enumerate(b.split_with_sizes(sizes, 1))], 1)
    product = product if bias is None else product + bias
    return product if out_dtype is None else product.to(out_dtype)


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {"_grouped_mm": grouped_mm}
