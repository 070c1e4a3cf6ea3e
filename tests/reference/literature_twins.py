"""Metrics that are no removal curves once more, slowly and from the papers: Python loops over one sample at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

Score = Callable[[Tensor], float]
"""From one sample, (1, ...), to the number that is explained."""
Explain = Callable[[Tensor], Tensor]
"""From one sample, (1, ...), to its map."""


def pearson(a: Sequence[float], b: Sequence[float]) -> float:
    n, mean_a, mean_b = len(a), sum(a) / len(a), sum(b) / len(b)
    cov = sum((a[i] - mean_a) * (b[i] - mean_b) for i in range(n))
    return cov / math.sqrt(sum((v - mean_a) ** 2 for v in a) * sum((v - mean_b) ** 2 for v in b))


def rank(values: Sequence[float]) -> list[float]:
    """From 1; the mean rank where values are equal."""
    return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    return pearson(rank(a), rank(b))


def without(x: Tensor, places: Sequence[Sequence[tuple[int, int]]], gone: Sequence[int], value: float = 0.0) -> Tensor:
    """A picture with some of its parts set to a value, in all channels."""
    changed = x.clone()
    for part in gone:
        for i, j in places[part]:
            changed[0, :, i, j] = value
    return changed


def of_part(values: Tensor, part: Sequence[tuple[int, int]]) -> float:
    return sum(float(values[:, i, j].sum()) for i, j in part)


def correlation(
    f: Score, x: Tensor, values: Tensor, parts: Sequence[Sequence[tuple[int, int]]], subsets: Sequence[Sequence[int]]
) -> float:
    """Bhatt et al., 2020, and with single parts Alvarez-Melis and Jaakkola, 2018; with sizes Ancona et al., 2018."""
    said = [sum(of_part(values, parts[i]) for i in subset) for subset in subsets]
    lost = [f(x) - f(without(x, parts, subset)) for subset in subsets]
    return pearson(said, lost)


def infidelity(f: Score, x: Tensor, values: Tensor, changes: Sequence[Tensor], weights: Sequence[Tensor]) -> float:
    """Yeh et al., 2019, Definition 2.1, with what R is multiplied with given for every change."""
    errors = []
    for change, weight in zip(changes, weights, strict=True):
        errors.append((float((weight * values).sum()) - (f(x) - f(x - change))) ** 2)
    return sum(errors) / len(errors)


def max_sensitivity(explain: Explain, x: Tensor, shifts: Sequence[Tensor]) -> float:
    """Yeh et al., 2019, Definition 4.1, divided by the length of the map."""
    base = explain(x)
    return max(float((explain(x + shift) - base).norm() / base.norm()) for shift in shifts)


def lipschitz(explain: Explain, x: Tensor, shifts: Sequence[Tensor]) -> float:
    """Alvarez-Melis and Jaakkola, 2018, Eq. 2, over given neighbours."""
    return max(float((explain(x + shift) - explain(x)).norm() / shift.norm()) for shift in shifts)


def stability(
    explain: Explain,
    x: Tensor,
    shifts: Sequence[Tensor],
    distance: Callable[[Tensor, Tensor], float],
    same: Callable[[Tensor], bool],
) -> float:
    """Agarwal et al., 2022, Eqs. 2-5: the numerator over the distance that is asked for, among neighbours of the same class."""
    base, found = explain(x), []
    for shift in shifts:
        if same(x + shift):
            change = math.sqrt(
                sum((float(a - b) / float(a)) ** 2 for a, b in zip(base.flatten(), explain(x + shift).flatten(), strict=True))
            )
            found.append(change / max(distance(x, x + shift), 1e-6))
    return max(found)


def ssim(a: Tensor, b: Tensor, window: int) -> float:
    """Wang et al., 2004, Eq. 13, over all windows that lie within the maps, for a range of 2."""
    found = []
    for i in range(a.shape[0] - window + 1):
        for j in range(a.shape[1] - window + 1):
            p, q = (m[i : i + window, j : j + window].flatten().tolist() for m in (a, b))
            n, mean_p, mean_q = len(p), sum(p) / len(p), sum(q) / len(q)
            var_p, var_q = (sum((v - m) ** 2 for v in values) / (n - 1) for values, m in ((p, mean_p), (q, mean_q)))
            cov = sum((p[k] - mean_p) * (q[k] - mean_q) for k in range(n)) / (n - 1)
            c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
            found.append((2 * mean_p * mean_q + c1) * (2 * cov + c2) / ((mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2)))
    return sum(found) / len(found)


def histogram_entropy(values: Sequence[float], bins: int) -> float:
    low, high, counts = min(values), max(values), [0] * bins
    for v in values:
        counts[min(bins - 1, int((v - low) / (high - low) * bins))] += 1
    return -sum(c / len(values) * math.log(c / len(values)) for c in counts if c)
