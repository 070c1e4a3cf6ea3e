"""How ordinary each decision is: the likelihood of its concept relevances under a mixture of Gaussians fitted to its class.

References: Understanding the (extra-)ordinary: validating deep model decisions with prototypical concept-based explanations
    (Dreyer et al., 2023), https://doi.org/10.48550/arXiv.2311.16681
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .findings import Evidence
from .spectral import principal

COMPONENTS = 8  # principal ones
PROTOTYPES = 2
LEAST = 20  # items of a class
ODDEST = 20


def ordinary(evidence: Evidence, keys: Sequence[str], names: Any, *, seed: int = 0) -> list[dict[str, Any]]:
    """For each class how its decisions spread, and the odd ones: those whose likelihood is lowest, each with its percentile."""
    if not evidence.what:
        return []
    x = next(iter(evidence.what.values()))
    found = []
    for target in sorted(set(evidence.target.tolist())):
        rows = (evidence.target == target).nonzero().flatten()
        if len(rows) < LEAST:
            continue
        likelihood = log_likelihood(principal(x[rows].double().numpy(), COMPONENTS), seed)
        order = np.argsort(likelihood, kind="stable")
        oddest = [
            {"key": keys[int(evidence.item[rows[place]])], "log_likelihood": float(likelihood[place])} for place in order[:ODDEST]
        ]
        found.append({"class": names(int(target)), "items": len(rows), "median": float(np.median(likelihood)), "odd": oddest})
    return found


def log_likelihood(x: Any, seed: int, rounds: int = 50) -> Any:
    """Of each row under a mixture of Gaussians with diagonal covariances, fitted to all rows by expectation and maximization."""
    rng = np.random.default_rng(seed)
    spread = x.var(0) + 1e-9
    means = x[rng.choice(len(x), PROTOTYPES, replace=False)]
    variances, weights = np.tile(spread, (PROTOTYPES, 1)), np.full(PROTOTYPES, 1 / PROTOTYPES)
    whole = np.zeros(len(x))
    for _ in range(rounds):
        logs = np.stack([
            np.log(w) - 0.5 * (np.log(2 * np.pi * v) + (x - m) ** 2 / v).sum(1)
            for m, v, w in zip(means, variances, weights, strict=True)
        ])  # fmt: skip
        top = logs.max(0)
        whole = top + np.log(np.exp(logs - top).sum(0))
        shares = np.exp(logs - whole)
        weights = np.maximum(shares.mean(1), 1e-6)
        means = shares @ x / shares.sum(1)[:, None]
        variances = np.stack([s @ (x - m) ** 2 / s.sum() for s, m in zip(shares, means, strict=True)]) + 0.01 * spread
    return whole
