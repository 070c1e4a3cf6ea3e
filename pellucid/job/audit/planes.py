"""Planes: items as points, so that a person sees which are explained alike.

Two planes of the same features: that of the first two principal components, which knows nothing of clusters; and that in which
the clusters of a class lie furthest apart.

References: The use of multiple measurements in taxonomic problems (Fisher, 1936),
    https://doi.org/10.1111/j.1469-1809.1936.tb02137.x
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

COMPONENTS = 16  # principal ones, among which clusters are told apart
RIDGE = 0.05  # of the mean variance, added to all of them: few items seem apart in many directions


def planes(x: Array, labels: NDArray[np.int64]) -> dict[str, Array]:
    """Points of both planes, each (item, 2), by "components" and "clusters"; the latter only where there are two clusters.

    Arguments:
        x: A row of features for each item.
        labels: The cluster of each item; -1: none.

    Example:
        >>> x = np.array([[0, 0, 5], [0, 1, 5], [9, 0, 5], [9, 1, 5]], dtype=np.float32)
        >>> planes(x, np.array([0, 0, -1, -1]))["components"].round(1).tolist()
        [[-4.5, -0.5], [-4.5, 0.5], [4.5, -0.5], [4.5, 0.5]]
    """
    scores = components(x, COMPONENTS)
    found = {"components": padded(scores)}
    if len(set(labels.tolist())) > 1:
        found["clusters"] = padded(apart(scores, labels))
    return found


def components(x: Array, count: int) -> Array:
    """Each row by its first principal components, from the covariance of the columns: quick where rows are many."""
    centred = x - x.mean(0, dtype=np.float64).astype(np.float32)
    covariance: Any = (centred.T @ centred).astype(np.float64) / max(1, len(x) - 1)
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :count]
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    made: Array = centred @ (vectors * np.where(signs == 0, 1, signs)).astype(np.float32)
    return made


def apart(x: Array, labels: NDArray[np.int64]) -> Array:
    """The lines along which groups differ most beside how far each spreads; where one line says it all, the widest other one."""
    groups = [x[labels == label].astype(np.float64) for label in sorted(set(labels.tolist()))]
    within = sum((one - one.mean(0)).T @ (one - one.mean(0)) for one in groups) / max(1, len(x) - len(groups))
    within = within + np.eye(x.shape[1]) * max(RIDGE * float(np.trace(within)) / x.shape[1], 1e-12)
    middle = x.mean(0, dtype=np.float64)
    between = sum(len(one) * np.outer(one.mean(0) - middle, one.mean(0) - middle) for one in groups) / len(x)
    root = np.linalg.inv(np.linalg.cholesky(within))
    lines = (np.linalg.eigh(root @ between @ root.T)[1][:, ::-1][:, : min(2, len(groups) - 1)].T @ root).T
    first: Array = ((x - middle) @ lines).astype(np.float32)
    if first.shape[1] == 2:
        return first
    line = lines[:, 0] / np.linalg.norm(lines[:, 0])
    rest = x - np.outer(x @ line, line).astype(np.float32)
    return np.hstack([first, components(rest, 1)])


def padded(x: Array) -> Array:
    """Two columns, whatever there are."""
    two = np.zeros((len(x), 2), dtype=np.float32)
    two[:, : min(2, x.shape[1])] = x[:, :2]
    return two
