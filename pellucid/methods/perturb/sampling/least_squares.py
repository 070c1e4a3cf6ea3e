"""Weighted least squares of responses on the regions present, with standard errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .importance_weights import WeightedRows

SINGULAR = 1e-9  # of the largest: smaller directions are not told by the rows
FLOOR = 1e-4  # of a residual's variance is taken to be left, at least


def regress(data: WeightedRows, X: Tensor, y: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients and their standard errors: argmin_b sum_k w_k (y_k - X_k b)^2 + b' P b.

        A = X' W X + P,   b = A^-1 X' W y,   V = A^-1 (sum_u X_u' W_u e_u e_u' W_u X_u) A^-1

    The errors suppose neither equal variances nor independent rows, only independent units u of rows: V is the cluster-robust
    "sandwich", with residuals e_u = (I - H_uu)^(-1/2) (y_u - X_u b), which undoes what fitting took from them (CR2; HC2 for
    single rows), shrunk to what is left to chance where rows do not repeat, and widened where units are few (`student_factor`).
    Where the rows do not tell all coefficients they are the smallest ones, and their errors infinite.

    References: MacKinnon and White, 1985, https://doi.org/10.1016/0304-4076(85)90158-7; Pustejovsky and Tipton, 2018,
        https://doi.org/10.1080/07350015.2016.1247004; Cochran, 1977, Sampling Techniques, sections 2.6 and 5A.

    Arguments:
        X: With shape (k, p), rows as in `data`.
        penalty: P, with shape (p, p).
    """
    root = data.w.sqrt()
    Xw, yw = X * root[:, None], y * root
    A = Xw.T @ Xw + penalty
    inverse, known = _inverse(A)
    b = inverse @ (Xw.T @ yw)
    if not known or not len(X):
        return b, torch.full_like(b, torch.inf)
    residual = (yw - Xw @ b)[:, None]
    rows, residuals, open_share = (_units(part, data.unit) for part in (Xw, residual, data.open_share.sqrt()[:, None]))
    scores = _scores(rows, residuals, open_share, inverse)
    return b, (scores @ inverse).square().sum(0).sqrt() * student_factor(_degrees_of_freedom(open_share[:, :, 0] > 0, len(A)))


def _inverse(A: Tensor) -> tuple[Tensor, bool]:
    """The inverse, or where there is none that of the directions that are told; and whether all are."""
    factor, failed = torch.linalg.cholesky_ex(A)
    steps = factor.diagonal()
    if not failed and len(A) and float(steps.min() / steps.max()) > SINGULAR**0.5:
        return torch.cholesky_inverse(factor), True
    return torch.linalg.pinv(A, rtol=SINGULAR, hermitian=True), not len(A)


def _degrees_of_freedom(random: Tensor, p: int) -> int:
    """How many numbers tell the errors: units, of which a pair of complements tells one thing, less what was fitted."""
    units, pairs = int(random.any(1).sum()), int(random.sum()) // min(2, random.shape[1])
    return max(1, min(units - 1, pairs - p))


def _units(rows: Tensor, unit: int) -> Tensor:
    """Rows drawn together: (k, p) becomes (units, unit, p), filled up with zeros."""
    missing = -len(rows) % unit
    return torch.cat([rows, rows.new_zeros(missing, rows.shape[1])]).reshape(-1, unit, rows.shape[1])


def _scores(X: Tensor, residual: Tensor, open_share: Tensor, inverse: Tensor) -> Tensor:
    """X_u' e_u for every unit, with shape (units, p)."""
    values, vectors = torch.linalg.eigh(torch.eye(X.shape[1], dtype=X.dtype) - X @ inverse @ X.mT)
    adjusted = vectors @ (vectors.mT @ residual / values.clamp(min=FLOOR).sqrt()[..., None])
    scores: Tensor = X.mT @ (adjusted * open_share)
    return scores[..., 0]


def student_factor(freedom: int) -> float:
    """The 97.5 % quantile of Student's t over that of the normal distribution.

    Standard errors that were themselves told by few numbers are widened by it, so that values +- 1.96 errors cover as often as
    95 % intervals should. By Hill's expansion about the normal quantile; one and two degrees of freedom have closed forms.

    References: Hill, 1970, Algorithm 396, https://doi.org/10.1145/355598.355600; Abramowitz and Stegun, 1964, 26.7.5

    Example:
        >>> [round(1.96 * student_factor(freedom), 2) for freedom in (1, 2, 4, 30)]
        [12.71, 4.3, 2.78, 2.04]
    """
    z = 1.959963984540054
    if freedom < 3:
        return (math.tan(math.pi * 0.475) if freedom == 1 else 0.95 * math.sqrt(2 / (1 - 0.95**2))) / z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return 1 + sum((term / freedom**power for power, term in enumerate(terms, start=1)), 0.0) / z
