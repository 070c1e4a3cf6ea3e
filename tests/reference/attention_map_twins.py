"""Attention maps written from the papers: plain loops over explicit weights, gradients from autograd.

References: Abnar and Zuidema, 2020, https://doi.org/10.18653/v1/2020.acl-main.385 (Section 3, attention rollout);
Chefer et al., 2021, https://doi.org/10.1109/ICCV48922.2021.00045 (Eq. 5-6, self-attention).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Matrix = list[list[float]]


def rollout(weights: Sequence[Tensor]) -> Matrix:
    """The product, last layer first, of the row-normalised mean over heads plus identity; weights are (head, query, key)."""
    n = weights[0].shape[-1]
    R = identity(n)
    for A in weights:
        mixed = [[sum(float(head[i, j]) for head in A) / len(A) + (i == j) for j in range(n)] for i in range(n)]
        normed = [[entry / sum(row) for entry in row] for row in mixed]
        R = times(normed, R)
    return R


def chefer(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> Matrix:
    """R = I; R <- R + E R with E the mean over heads of (gradient * weight)+."""
    n = weights[0].shape[-1]
    R = identity(n)
    for A, G in zip(weights, gradients, strict=True):
        E = [
            [sum(max(float(g[i, j] * a[i, j]), 0.0) for a, g in zip(A, G, strict=True)) / len(A) for j in range(n)]
            for i in range(n)
        ]
        R = [[p + q for p, q in zip(old, new, strict=True)] for old, new in zip(R, times(E, R), strict=True)]
    return R


def identity(n: int) -> Matrix:
    return [[float(i == j) for j in range(n)] for i in range(n)]


def times(a: Matrix, b: Matrix) -> Matrix:
    return [[sum(a[i][k] * b[k][j] for k in range(len(b))) for j in range(len(b[0]))] for i in range(len(a))]


def rows(R: Matrix, read: Sequence[int]) -> Tensor:
    """The mean of the rows of the tokens that are read."""
    return torch.tensor([R[i] for i in read], dtype=torch.float64).mean(0)
