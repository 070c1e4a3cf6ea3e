"""Facets: groups of a class's or a unit's real pictures that are alike in the network's features.

How a picture is synthesised for each is the recipe `recipes/mfv.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.core.progress import report_progress
from pellucid.errors import InputError
from pellucid.model import Model
from pellucid.tape.forward import batch_size, forward_values
from pellucid.target import Target
from pellucid.target.classes import Logit, LogOdds, Probability
from .generator.encoder import Encoder, channel_means, encoder
from .pictures import Pictures

AXES = 50  # principal axes that pictures are compared along, as published
MOST = 1300  # pictures of a target, at most: as many as a class of ImageNet has
TOP = 150  # pictures of a unit, or of a class that is hardly ever predicted, at most: ten facets of 15
SHARE = 5  # and a fifth of all there are: those with lower scores do not show it
RESTARTS, ROUNDS = 10, 100  # of k-means


@dataclass(frozen=True, eq=False)
class Facets:
    """Pictures in groups of similar features, the largest group first.

    Arguments:
        pictures: All that were grouped, in the network's units, with shape (n, *shape), on the CPU.
        names: Their file names, or their numbers in the data.
        label: The group of each, (n,).
        centres: Of the groups, (k, axes), in coordinates along `axes` (features, axes) from `origin` (features,).
        members: By group, the rows of the pictures nearest to its centre, the nearest first.
    """

    pictures: Tensor
    names: tuple[str | int, ...]
    label: Tensor
    centres: Tensor
    axes: Tensor
    origin: Tensor
    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of pictures in each group."""
        return tuple(torch.bincount(self.label, minlength=len(self)).tolist())

    @property
    def means(self) -> Tensor:
        """The mean of each group's members: (k, *shape)."""
        return torch.stack([self.pictures[list(rows)].mean(0) for rows in self.members])

    @property
    def directions(self) -> Tensor:
        """The direction from the mean of all to the centre of each group, of unit length: (k, features)."""
        return functional.normalize((self.centres @ self.axes.T).float())

    def assign(self, codes: Tensor) -> Tensor:
        """The group of each of some codes (n, features)."""
        return torch.cdist((codes.double().cpu() - self.origin) @ self.axes, self.centres).argmin(1)

    def coverage(self, codes: Tensor) -> float:
        """The share of pictures in groups that some of these codes fall into, in [0, 1]."""
        hit = torch.zeros(len(self), dtype=torch.bool)
        hit[self.assign(codes)] = True
        return float(hit[self.label].double().mean())

    def document(self) -> list[dict[str, Any]]:
        """By group, how many pictures it holds and the names of its members, as plain data."""
        pairs = zip(self.sizes, self.members, strict=True)
        return [{"pictures": size, "members": [self.names[row] for row in rows]} for size, rows in pairs]


def facets(
    model: Model, source: Pictures, target: Target, *, k: int = 10, per: int = 15, at: str | None = None, seed: int = 0
) -> Facets:
    """The facets of a target: of the pictures that the network classifies so, or of a unit's top pictures.

    Features (the input of the class layer, unless `at` says otherwise; maps by their means), of unit length, are projected to
    their 50 principal axes and grouped by k-means.

    References: Nguyen, Yosinski and Clune, 2016, Multifaceted feature visualization, https://doi.org/10.48550/arXiv.1602.03616.
        Departure: they project the 50 axes to two by t-SNE before k-means; we group along all of them, which is cheaper, keeps
        distances, and can assign a new picture to a group.

    Arguments:
        source: The user's pictures.
        k: How many groups; fewer where there are not two pictures for each.
        per: How many pictures around its centre stand for a group.

    Raises:
        InputError: there are fewer than two pictures.
        WhereError: there is no such layer.
    """
    chosen, codes, names = _of_target(model, source, target, at, k)
    if len(chosen) < 2:
        raise InputError(
            f"Facets of {target}", f"{len(chosen)} pictures of it", "facets are groups of similar pictures",
            "Pass a folder or a tensor with more pictures of this class: data=...",
        )  # fmt: skip
    return group_by_codes(chosen, codes, names, k=min(k, len(chosen) // 2), per=per, seed=seed)


def group_by_codes(pictures: Tensor, codes: Tensor, names: Sequence[str | int], *, k: int, per: int, seed: int = 0) -> Facets:
    """Pictures in `k` groups by their codes.

    Example:
        >>> codes = torch.tensor([[0.0, 1.0], [0.0, 1.1], [5.0, 0.0], [5.0, 0.1], [5.1, 0.0]])
        >>> groups = group_by_codes(torch.zeros(5, 1, 2, 2), codes, range(5), k=2, per=2)
        >>> groups.sizes, groups.label.tolist(), groups.coverage(codes[:2])
        ((3, 2), [1, 1, 0, 0, 0], 0.4)
    """
    points = codes.double().cpu()
    origin = points.mean(0)
    axes = torch.linalg.svd(points - origin, full_matrices=False)[2][:AXES].T
    points = (points - origin) @ axes
    centres, label = kmeans(points, k, seed)
    order = torch.bincount(label, minlength=k).argsort(descending=True, stable=True)
    centres, label = centres[order], order.argsort()[label]
    away = torch.cdist(points, centres)
    members = [torch.where(label == group, away[:, group], torch.inf).argsort(stable=True) for group in range(k)]
    sizes = torch.bincount(label, minlength=k).tolist()
    nearest = tuple(tuple(rows[: min(per, n)].tolist()) for rows, n in zip(members, sizes, strict=True))
    return Facets(pictures, tuple(names), label, centres, axes, origin, nearest)


def kmeans(points: Tensor, k: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The centres of `k` groups, and the group of each point: the tightest of ten tries, each begun by k-means++.

    References: Lloyd, 1982, https://doi.org/10.1109/TIT.1982.1056489; Arthur and Vassilvitskii, 2007, k-means++: the advantages
        of careful seeding.

    Example:
        >>> centres, label = kmeans(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), 2)
        >>> sorted(centres.flatten().tolist()), bool(label[0] == label[1]), bool(label[1] == label[2])
        ([0.5, 10.5], True, False)
    """
    rng = torch.Generator("cpu").manual_seed(seed)
    groupings = [_lloyd(points, _spread_out(points, k, rng)) for _ in range(RESTARTS)]
    return min(groupings, key=lambda one: float((points - one[0][one[1]]).square().sum()))


def _spread_out(points: Tensor, k: int, rng: torch.Generator) -> Tensor:
    """The first centres, points each drawn with a probability by its squared distance to those before it."""
    rows = [int(torch.randint(len(points), (1,), generator=rng))]
    while len(rows) < k:
        away = torch.cdist(points, points[rows]).amin(1).square()
        away = away if bool(away.any()) else torch.ones_like(away)
        rows.append(int(torch.multinomial(away, 1, generator=rng)))
    return points[rows]


def _lloyd(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and groups, computed from each other until they agree; a group that lost all its points keeps its centre."""
    label = torch.cdist(points, centres).argmin(1)
    for _ in range(ROUNDS):
        one = functional.one_hot(label, len(centres)).to(points)
        sums, sizes = one.T @ points, one.sum(0)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
        now = torch.cdist(points, centres).argmin(1)
        if bool((now == label).all()):
            break
        label = now
    return centres, label


def _of_target(
    model: Model, source: Pictures, target: Target, at: str | None, k: int
) -> tuple[Tensor, Tensor, tuple[str | int, ...]]:
    """The pictures of a target, their codes and names, in one pass over the data."""
    best: list[tuple[Tensor, Tensor, Tensor]] = []
    count, total = 0, source.count
    for x in source.everything(64):
        numbers = torch.arange(count, count + len(x))
        best = [_best([*best, (x.cpu(), _ranked(model, x, target), numbers)])]
        count += len(x)
        if total and report_progress(count, total, "pictures looked at"):
            break
    pictures, ranks, numbers = best[0]
    own = int((ranks[:, 0] > 0).sum())
    enough = own >= min(2 * k, max(4, count // 10))  # in a folder of mixed pictures, two per facet at least
    n = own if enough else min(TOP, max(2 * k, count // SHARE), len(pictures))
    chosen = pictures[:n]
    inner = encoder(model, chosen[:1].to(model.device), at)
    codes = torch.cat([unit_codes(inner, part.to(model.device)) for part in torch.split(chosen, 64)])
    return chosen, codes, tuple(source.name(i) for i in numbers[:n].tolist())


def unit_codes(inner: Encoder, x: Tensor) -> Tensor:
    """Codes as vectors of unit length (n, features), since their length does not distinguish facets; maps by their means."""
    with torch.no_grad():
        codes = torch.cat([inner.codes(part).float().cpu() for part in torch.split(x, batch_size(x))])
    return functional.normalize(channel_means(codes))


def _ranked(model: Model, x: Tensor, target: Target) -> Tensor:
    """By picture, whether its predicted class is the target's, and its score: (n, 2)."""
    ranks = []
    for part in torch.split(x, batch_size(x)):
        values = forward_values(model, part, (*target.addresses, None))
        scores = target.take([0] * len(part)).read(lambda at, values=values: values[at]).float()  # type: ignore[misc]
        own, term = torch.zeros_like(scores), target.terms[0][1]
        output = values[None]
        if len(target.terms) == 1 and isinstance(term, (Logit, Probability, LogOdds)) and output.dim() == 2:
            index = term.index if isinstance(term.index, int) else term.index[0]  # type: ignore[index]
            own = (output.argmax(1) == int(index) % output.shape[1]).float()
        ranks.append(torch.stack([own, scores], 1).cpu())
    return torch.cat(ranks)


def _best(parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """The best of those kept and those new: pictures of the class first, then by score."""
    pictures, ranks, numbers = (torch.cat([part[i] for part in parts]) for i in range(3))
    order = ranks[:, 1].argsort(descending=True, stable=True)
    order = order[ranks[order, 0].argsort(descending=True, stable=True)][:MOST]
    return pictures[order], ranks[order], numbers[order]
