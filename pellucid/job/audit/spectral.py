"""Spectral clustering of explanations: principal components, nearest neighbours, normalised Laplacian, eigengap, k-means.

References: Unmasking Clever Hans predictors (Lapuschkin et al., 2019), https://doi.org/10.1038/s41467-019-08987-4;
    A tutorial on spectral clustering (von Luxburg, 2007), https://doi.org/10.1007/s11222-007-9033-z
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import MissingExtra

Array = NDArray[np.float64]

COMPONENTS = 32  # principal ones
MOST = 12  # clusters
DENSE = 1500  # items, up to which all eigenvectors are computed at once
BLOCK = 2048  # rows of distances at once
LEAST = 8  # items, below which nothing is clustered


@dataclass(frozen=True, eq=False)
class Partition:
    """Items in clusters.

    Arguments:
        labels: The cluster of each item, from 0 on.
        eigenvalues: The smallest of the normalised Laplacian, ascending: as many near 0 as there are clusters.
        coordinates: Each item in the space of their eigenvectors.
        projected: Each item in the space of its principal components.
    """

    labels: NDArray[np.int64]
    eigenvalues: Array
    coordinates: Array
    projected: Array

    @property
    def count(self) -> int:
        return int(self.labels.max()) + 1 if len(self.labels) else 0


def partition(x: Array, *, seed: int = 0, clusters: int | None = None) -> Partition:
    """Clusters of the rows of x.

    Arguments:
        clusters: How many; None: where the gap between two eigenvalues is largest.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    projected = principal(x, COMPONENTS)
    if len(x) < LEAST:
        nothing = np.zeros((len(x), 1))
        return Partition(np.zeros(len(x), dtype=np.int64), np.zeros(1), nothing, projected)
    graph = neighbours(projected, neighbour_count(len(x)))
    values, vectors = laplacian(graph, min(MOST + 1, len(x) - 1))
    k = gap(values) if clusters is None else clusters
    rows = vectors[:, :k] / np.maximum(np.linalg.norm(vectors[:, :k], axis=1, keepdims=True), 1e-12)
    means = import_sklearn().KMeans(k, n_init=10, random_state=seed).fit(rows)
    return Partition(ordered(means.labels_.astype(np.int64)), values, vectors, projected)


def import_sklearn() -> Any:
    try:
        import sklearn.cluster
    except ImportError:
        raise MissingExtra(
            "an audit", "no package scikit-learn", "it clusters the explanations", "Install it: pip install 'pellucid[audit]'."
        ) from None
    return sklearn.cluster


def principal(x: Array, count: int) -> Array:
    """Each row by its first principal components; the sign of each is such that its largest loading is positive."""
    centred = x - x.mean(0)
    wide = centred.shape[1] > len(centred)
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    kept = vectors[:, ::-1][:, : min(count, len(values))]
    loadings = centred.T @ kept if wide else kept
    signs = np.sign(loadings[np.abs(loadings).argmax(0), np.arange(kept.shape[1])])
    if wide:
        return np.asarray(kept * np.sqrt(np.maximum(values[::-1][: kept.shape[1]], 0)) * np.where(signs == 0, 1, signs))
    return np.asarray(centred @ (kept * np.where(signs == 0, 1, signs)))


def neighbour_count(n: int) -> int:
    """How many neighbours of each item count: few in small classes, so that small clusters hold together by themselves."""
    return int(np.clip(round(np.sqrt(n) / 2), 4, 10))


def neighbours(x: Array, k: int) -> Any:
    """The symmetric graph of the k nearest neighbours, a sparse matrix: 1 where both say so, a half where one does."""
    from scipy import sparse

    squares = (x * x).sum(1)
    rows, columns = [], []
    for first in range(0, len(x), BLOCK):
        block = x[first : first + BLOCK]
        distances = squares[None] - 2 * block @ x.T
        distances[np.arange(len(block)), np.arange(first, first + len(block))] = np.inf  # not its own neighbour
        k = min(k, len(x) - 1)
        near = np.argpartition(distances, k - 1, axis=1)[:, :k]
        rows.append(np.repeat(np.arange(first, first + len(block)), k))
        columns.append(near.ravel())
    ones = np.ones(len(x) * k)
    directed = sparse.csr_matrix((ones, (np.concatenate(rows), np.concatenate(columns))), shape=(len(x), len(x)))
    return (directed + directed.T) / 2


def laplacian(graph: Any, count: int) -> tuple[Array, Array]:
    """The smallest eigenvalues of the normalised Laplacian, and their vectors as columns.

    Every connected component is solved by itself: each has an eigenvalue 0, and solvers for the whole graph miss some of them.
    """
    from scipy.sparse import csgraph

    number, labels = csgraph.connected_components(graph, directed=False)
    values, vectors = [], []
    for component in range(number):
        members = np.flatnonzero(labels == component)
        found, inside = component_spectrum(graph[members][:, members], min(count, len(members)))
        whole = np.zeros((graph.shape[0], len(found)))
        whole[members] = inside
        values.append(found)
        vectors.append(whole)
    every, columns = np.concatenate(values), np.concatenate(vectors, axis=1)
    order = np.argsort(every, kind="stable")[: max(count, min(number, MOST))]
    return every[order], columns[:, order]


def component_spectrum(graph: Any, count: int) -> tuple[Array, Array]:
    """The smallest eigenvalues of the normalised Laplacian of a connected graph, and their vectors."""
    from scipy import sparse
    from scipy.sparse.linalg import eigsh

    degrees = np.asarray(graph.sum(1)).ravel()
    scale = sparse.diags(1 / np.sqrt(np.maximum(degrees, 1e-12)))
    affinity = scale @ graph @ scale
    if graph.shape[0] <= max(DENSE, count + 1):
        values, vectors = np.linalg.eigh(affinity.toarray())
        return 1 - values[::-1][:count], vectors[:, ::-1][:, :count]
    start = np.random.default_rng(0).standard_normal(graph.shape[0])
    values, vectors = eigsh(affinity, k=count, which="LA", tol=0, v0=start)  # a looser tolerance misses clusters
    order = np.argsort(-values, kind="stable")
    return 1 - values[order], vectors[:, order]


def gap(values: Array) -> int:
    """How many clusters the eigenvalues speak for: those before the largest gap.

    Example:
        >>> gap(np.array([0.0, 0.01, 0.02, 0.4, 0.45]))
        3
    """
    few = values[: MOST + 1]
    return int(np.diff(few).argmax()) + 1 if len(few) > 1 else 1


def ordered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same clusters numbered by size, the largest first."""
    sizes = np.bincount(labels)
    place = np.empty_like(sizes)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.asarray(place[labels])
