"""The rules for attention once more, slowly: dense Jacobians, one sample at a time, and loops. Nothing here knows the library.

References:
    Softmax, products, norms: AttnLRP (Achtibat et al., 2024), https://proceedings.mlr.press/v235/achtibat24a.html
    Norms, attention whose weights stand still: XAI for transformers (Ali et al., 2022), https://proceedings.mlr.press/v162/ali22a.html
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.functional import jacobian


def sign(z: float) -> float:
    return 1.0 if z >= 0 else -1.0


def softmax(x: Tensor, R: Tensor) -> Tensor:
    """The Taylor expansion of each weight at x itself (Proposition 3.1): x_i dp_j / dx_i of R_j / p_j, for one row x."""
    p, J = x.softmax(0), jacobian(lambda t: t.softmax(0), x)
    got = torch.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(x)):
            got[i] += x[i] * J[j, i] * R[j] / p[j]
    return got


def log_softmax(x: Tensor, R: Tensor, eps: float) -> Tensor:
    """The same for the logarithms of the weights."""
    y, J = x.log_softmax(0), jacobian(lambda t: t.log_softmax(0), x)
    got = torch.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(x)):
            got[i] += x[i] * J[j, i] * R[j] / (y[j] + eps * sign(float(y[j])))
    return got


def product(a: Tensor, b: Tensor, R: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """A product of matrices: epsilon for the sum over k, then a half for each factor (Proposition 3.3)."""
    of_a, of_b = torch.zeros_like(a), torch.zeros_like(b)
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            z = sum(float(a[i, k] * b[k, j]) for k in range(a.shape[1]))
            for k in range(a.shape[1]):
                share = a[i, k] * b[k, j] / (z + eps * sign(z)) * R[i, j] / 2
                of_a[i, k] += share
                of_b[k, j] += share
    return of_a, of_b


def weighed(weights: Tensor, values: Tensor, R: Tensor, eps: float) -> Tensor:
    """Attention whose weights are constants: epsilon for a linear map of the values."""
    return 2 * product(weights, values, R, eps)[1]


def norm(
    x: Tensor, R: Tensor, *, sets: Tensor, weight: Tensor, bias: Tensor, centred: bool, eps: float, epsilon: float
) -> Tensor:
    """A norm as a table, its spread held fixed: entries of one set share a mean and a spread.

    Arguments:
        sets: The number of the set of each entry of x.
        weight, bias: Per entry.
        eps: Inside the root.
        epsilon: The stabiliser.
    """
    n = len(x)
    table = torch.zeros(n, n, dtype=x.dtype)
    for i in range(n):
        mates = [j for j in range(n) if sets[j] == sets[i]]
        mean = sum(x[j] for j in mates) / len(mates) if centred else 0.0
        spread = (sum((x[j] - mean) ** 2 for j in mates) / len(mates) + eps) ** 0.5
        for j in mates:
            table[i, j] = weight[i] * ((i == j) - (1 / len(mates) if centred else 0.0)) / spread
    z = table @ x + bias
    got = torch.zeros_like(x)
    for j in range(n):
        for i in range(n):
            got[j] += table[i, j] * x[j] * R[i] / (z[i] + epsilon * sign(float(z[i])))
    return got
