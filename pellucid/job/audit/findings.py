"""Findings: the clusters of every class, ranked by how much they look like a shortcut; `clusters.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..store import Store
from .enrichment import enrichment
from .recurring import HALF, LONG, SIDE, Recurring, patch_shape, recurring
from .spectral import Partition, partition, principal

LEAST = 5  # items of a cluster
LARGEST = 0.5  # of a class: more is what the class is
BORDER = 1 / 8  # of each side
NEAREST = 24
UNITS = 5
SURE = 0.05  # false-discovery rate of metadata that counts


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of all items, from a store.

    Arguments:
        item: Their numbers among the inputs.
        where: Shares of absolute relevance, (item, height, width).
        what: By layer, the relevance of its channels as shares of its absolute sum, (item, channel).
        view: The pictures at the size of the maps; None where they are no pictures.
        target: The class that was explained.
    """

    item: Tensor
    where: Tensor
    what: dict[str, Tensor]
    view: Tensor | None
    target: Tensor
    predicted: Tensor
    probability: Tensor

    @staticmethod
    def of(store: Store) -> Evidence:
        rows = store.rows(*store.columns)
        where = rows["where"].float().abs() * rows["where.scale"][:, None, None]
        layers = [name.removeprefix("what.") for name in rows if name.startswith("what.") and not name.endswith(".scale")]
        what = {at: share_of_absolute(rows[f"what.{at}"].float()) for at in layers}
        view = rows["view"].float() if "view" in rows else None
        return Evidence(rows["item"], where, what, view, rows["target"], rows["predicted"], rows["probability"])


def share_of_absolute(x: Tensor) -> Tensor:
    return x / x.abs().sum(1, keepdim=True).clamp_min(1e-12)


@dataclass(frozen=True, eq=False)
class Finding:
    """A cluster of one class.

    Arguments:
        rows: Which rows of the evidence are in it.
        space: "where" or "what": by which explanations it was found.
        corners: Row and column, in cells of the map, of the window with the strongest evidence, or of the mark, for each member.
        side: The size of that window, in cells.
        figures: What it is ranked by.
    """

    target: int
    space: str
    rows: NDArray[np.int64]
    corners: NDArray[np.int64]
    side: int
    figures: dict[str, float]
    medoid: int
    fixed: bool
    eigenvalues: Sequence[float] = field(default=(), repr=False)

    @property
    def suspicion(self) -> float:
        """What findings are ranked by: the sum of what each figure says, all in [0, 1]."""
        f = self.figures
        return (
            2 * f["recurrence"]
            + max(0.0, f["compactness"])
            + max(0.0, f["border"])
            + 0.5 * f["separability"]
            + 0.5 * f["metadata"]
        )


def find(evidence: Evidence, meta: Sequence[Mapping[str, str]] = (), *, seed: int = 0) -> list[Finding]:
    """The findings of all classes, the most suspicious first."""
    found = [one for target in sorted(set(evidence.target.tolist())) for one in of_class(evidence, int(target), seed)]
    return sorted(found, key=lambda one: -one.suspicion)


def of_class(evidence: Evidence, target: int, seed: int) -> list[Finding]:
    """The findings of one class: marks that come back, then clusters in both spaces that are not the same items again."""
    own = evidence.target == target
    rows = own.nonzero().flatten().numpy()
    kept: list[Finding] = []
    for candidate in candidates(evidence, own, rows, target, seed):
        fits = LEAST <= len(candidate.rows) <= LARGEST * len(rows)
        if fits and all(jaccard(candidate.rows, other.rows) <= HALF for other in kept):
            kept.append(candidate)
    return kept


def candidates(evidence: Evidence, own: Tensor, rows: NDArray[np.int64], target: int, seed: int) -> Iterator[Finding]:
    if evidence.view is not None:
        for mark in recurring(evidence.view, evidence.where, own, seed=seed):
            yield of_mark(evidence, rows, target, mark)
    spaces = {"where": evidence.where.flatten(1)[own]} | {f"what {at}": x[own] for at, x in evidence.what.items()}
    for space, x in spaces.items():
        features = np.sqrt(x.double().numpy()) if space == "where" else x.double().numpy()
        split = partition(features, seed=seed)
        for cluster in range(split.count if split.count > 1 else 0):
            yield of_cluster(evidence, rows, target, space.partition(" ")[0], split, cluster)


def of_mark(evidence: Evidence, rows: NDArray[np.int64], target: int, mark: Recurring) -> Finding:
    """A mark that comes back, as a finding: in `where` if it stays in one place, else in `what`."""
    inside = mark.members.numpy()
    assert evidence.view is not None
    members, corners = rows[inside], mark.corners[mark.members].numpy()
    medoid = int(members[int(mark.likeness[mark.members].argmax())])
    figures = common(evidence, rows, inside) | {"recurrence": mark.sharp * (1 - float(inside.mean())) ** 2}
    figures["separability"] = separability(evidence, rows, inside, "where" if mark.fixed else "what")
    side = patch_shape(evidence.view)[1]
    return Finding(target, "where" if mark.fixed else "what", members, corners, side, figures, medoid, mark.fixed)


def of_cluster(evidence: Evidence, rows: NDArray[np.int64], target: int, space: str, split: Partition, cluster: int) -> Finding:
    """A spectral cluster as a finding."""
    inside = split.labels == cluster
    members = rows[inside]
    centre = split.projected[inside].mean(0)
    medoid = int(members[int(np.square(split.projected[inside] - centre).sum(1).argmin())])
    side = window_side(evidence.where.shape)
    corners = strongest(evidence.where[members], side)
    figures = common(evidence, rows, inside) | {"recurrence": 0.0, "separability": fisher(split.projected, inside)}
    spread = float(corners.astype(np.float64).std(0).max())
    values = tuple(float(value) for value in split.eigenvalues)
    return Finding(target, space, members, corners, side, figures, medoid, spread < 1.5, values)


def window_side(shape: Sequence[int]) -> int:
    """The side of a window, in cells; along a line, its length."""
    return min(SIDE if shape[-2] > 1 else LONG, max(1, shape[-1] // 3))


def window_shape(where: Tensor, side: int) -> tuple[int, int]:
    return (min(side, where.shape[1]), side)


def strongest(where: Tensor, side: int) -> NDArray[np.int64]:
    """Row and column of the window with most evidence, for each item."""
    windows = avg_pool2d(where[:, None].float(), window_shape(where, side), 1)[:, 0]
    best = windows.flatten(1).argmax(1)
    return torch.stack([best // windows.shape[2], best % windows.shape[2]], 1).numpy()


def common(evidence: Evidence, rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> dict[str, float]:
    """Figures of any cluster, each against the rest of its class: how compact its evidence is, how much lies at the border."""
    where = evidence.where[rows]
    side = window_side(where.shape)
    share = avg_pool2d(where[:, None], window_shape(where, side), 1).flatten(1).amax(1) * side * min(side, where.shape[1])
    frame = border(where)
    right = (evidence.predicted[rows] == evidence.target[rows]).double()
    chosen = torch.from_numpy(inside)
    return {
        "compactness": difference(share, chosen), "border": difference(frame, chosen), "metadata": 0.0,
        "share_of_class": float(inside.mean()), "accuracy": float(right[chosen].mean()),
        "accuracy_of_rest": float(right[~chosen].mean()) if bool((~chosen).any()) else float("nan"),
        "probability": float(evidence.probability[rows][chosen].double().mean()),
    }  # fmt: skip


def border(where: Tensor) -> Tensor:
    """The share of the evidence in the outer frame of the picture; zero along a line."""
    height, width = where.shape[1:]
    rows, columns = round(height * BORDER), round(width * BORDER)
    if not rows:
        return torch.zeros(len(where))
    return 1 - where[:, rows : height - rows, columns : width - columns].sum((1, 2))


def difference(values: Tensor, inside: Tensor) -> float:
    """The mean inside a cluster less that of the rest."""
    rest = values[~inside]
    return float(values[inside].double().mean() - (rest.double().mean() if len(rest) else 0.0))


def separability(evidence: Evidence, rows: NDArray[np.int64], inside: NDArray[np.bool_], space: str) -> float:
    x = evidence.where[rows].flatten(1).sqrt()
    if space == "what" and evidence.what:
        x = next(iter(evidence.what.values()))[rows]
    return fisher(principal(x.double().numpy(), 32), inside)


def fisher(x: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """How far a cluster and the rest lie apart along the line between their means: J / (1 + J) with Fisher's ratio J."""
    if inside.all() or not inside.any():
        return 0.0
    line = x[inside].mean(0) - x[~inside].mean(0)
    along = x @ (line / max(float(np.linalg.norm(line)), 1e-12))
    within = along[inside].var() + along[~inside].var()
    ratio = (along[inside].mean() - along[~inside].mean()) ** 2 / max(float(within), 1e-12)
    return float(ratio / (1 + ratio))


def jaccard(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return len(np.intersect1d(one, other)) / max(1, len(np.union1d(one, other)))


def with_metadata(
    found: Sequence[Finding], evidence: Evidence, meta: Sequence[Mapping[str, str]]
) -> tuple[list[Finding], list[list[dict[str, Any]]]]:
    """The findings ranked with what metadata says of them, and that itself."""
    items = evidence.item.tolist()
    chosen = [meta[item] for item in items] if meta else []
    flags = [np.isin(np.arange(len(items)), one.rows).tolist() for one in found]
    entries = enrichment(chosen, flags) if chosen else [[] for _ in found]
    for one, rows in zip(found, entries, strict=True):
        sure = [entry["share"] - entry["of_all"] for entry in rows if entry["q"] < SURE]
        one.figures["metadata"] = max(sure, default=0.0)
    order = sorted(range(len(found)), key=lambda place: -found[place].suspicion)
    return [found[place] for place in order], [entries[place][:5] for place in order]


def documents(
    found: Sequence[Finding], entries: Sequence[Sequence[Mapping[str, Any]]], evidence: Evidence, keys: Sequence[str], names: Any
) -> list[dict[str, Any]]:
    """What stands in clusters.json: a list, the most suspicious first.

    Arguments:
        keys: What items are called: paths relative to the folder of the pictures.
        names: From a class to its name.
    """
    named = [keys[item] for item in evidence.item.tolist()]
    pairs = enumerate(zip(found, entries, strict=True))
    return [document(number, one, list(rows), evidence, named, names) for number, (one, rows) in pairs]


def document(
    number: int, one: Finding, rows: list[Mapping[str, Any]], evidence: Evidence, named: Sequence[str], names: Any
) -> dict[str, Any]:
    """One cluster as plain data; `named` are the keys of the rows."""
    grid = list(evidence.where.shape[1:])
    return {
        "id": number, "class": names(one.target), "target": one.target, "space": one.space, "size": len(one.rows),
        "members": [named[row] for row in one.rows], "suspicion": one.suspicion, **one.figures, "enrichment": rows,
        "medoid": named[one.medoid], "nearest": [named[row] for row in nearest(evidence, one)], "units": units(evidence, one),
        "mark": {"side": one.side, "fixed": one.fixed, "grid": grid, "corners": one.corners.tolist()},
        "eigenvalues": list(one.eigenvalues), "verdict": None,
    }  # fmt: skip


def nearest(evidence: Evidence, one: Finding) -> list[int]:
    """The members whose maps are most like the medoid's, it among them."""
    maps = evidence.where[one.rows].flatten(1).sqrt()
    distance = (maps - evidence.where[one.medoid].flatten().sqrt()).square().sum(1)
    return [int(one.rows[place]) for place in distance.argsort(stable=True)[:NEAREST].tolist()]


def units(evidence: Evidence, one: Finding) -> list[dict[str, Any]]:
    """The channels that its members use more than the rest of the class, by layer."""
    found = []
    rest = (evidence.target == one.target) & ~torch.isin(torch.arange(len(evidence.target)), torch.from_numpy(one.rows))
    for at, x in evidence.what.items():
        more = x[one.rows].double().mean(0) - (x[rest].double().mean(0) if bool(rest.any()) else 0.0)
        for channel in more.argsort(descending=True, stable=True)[:UNITS].tolist():
            found.append({"layer": at, "channel": channel, "share_more": float(more[channel])})
    return found
