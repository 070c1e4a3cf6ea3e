"""What many pictures say, class by class: their mean map over their mean picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.errors import InputError
from ..explanation import Explanation
from .about import About
from .chart import Chart
from .running import Numbers


@dataclass(frozen=True, eq=False)
class MeanMap:
    """The pictures that were explained for one target.

    Arguments:
        target: In words.
        n: How many.
        heat: The sum of their maps, with shape (height, width).
        picture: The sum of their pixels, with shape (height, width, 3); None where they are not known.
        score: The sum of their scores.
    """

    target: str
    n: int
    heat: Numbers
    picture: Numbers | None
    score: float


@dataclass(frozen=True, eq=False)
class Maps:
    """What was collected of many pictures, by target."""

    groups: Mapping[str, MeanMap]
    n: int


def collect(maps: Maps | None, e: Explanation) -> Maps:
    """What was collected, with the pictures of one more explanation.

    Raises:
        InputError: its maps are of another size.
    """
    groups = {} if maps is None else dict(maps.groups)
    for one in e:
        heat = one.heat().cpu().double().numpy()
        heat = heat if e.signed else np.abs(heat)
        picture, before = one.photograph(), groups.get(one.target)
        if before is not None and before.heat.shape != heat.shape:
            found = f"{heat.shape[0]} x {heat.shape[1]} and {before.heat.shape[0]} x {before.heat.shape[1]} places"
            do = "Read pictures at one size: pl.Preprocess((224, 224), ...)."
            raise InputError("a mean map", found, "a mean at every place is of maps of one size", do)
        pixels = None if picture is None else picture.astype(np.float64)
        groups[one.target] = _added(before, MeanMap(one.target, 1, heat, pixels, float(one.output)))
    return Maps(groups, len(e) + (0 if maps is None else maps.n))


def _added(one: MeanMap | None, other: MeanMap) -> MeanMap:
    if one is None:
        return other
    known = one.picture is not None and other.picture is not None and one.picture.shape == other.picture.shape
    picture = one.picture + other.picture if known and one.picture is not None and other.picture is not None else None
    return MeanMap(one.target, one.n + other.n, one.heat + other.heat, picture, one.score + other.score)


@dataclass(frozen=True, eq=False)
class MeanMaps:
    """Mean maps, to be drawn on one scale.

    Arguments:
        sides: What values above and below zero speak for, where two scores are compared.
        score: What stands before the mean score of a panel.
    """

    groups: tuple[MeanMap, ...]
    signed: bool
    sides: tuple[str, str] | tuple[()] = ()
    score: str = "mean score"

    @property
    def ground(self) -> str:
        """What the maps lie on, for a caption."""
        return ", over the mean of their pictures" if all(one.picture is not None for one in self.groups) else ""


def mean_maps(maps: Maps, about: About, most: int) -> Chart:
    """A map per target, those of the most pictures first."""
    groups = sorted(maps.groups.values(), key=lambda group: (-group.n, group.target))
    left = len(groups) - most
    data = MeanMaps(tuple(groups[:most]), about.signed)  # a question per panel: that targets differ needs no warning
    caption = (
        f"The mean map by {about.by} of all pictures that were explained for a target{data.ground}. "
        f"{about.sides} All maps have one scale." + (f" {left} more targets have fewer pictures." if left > 0 else "")
    )
    head = "target", "pictures", "mean score", "mean value for", "mean value against"
    table = tuple((one.target, one.n, one.score / one.n, *halves(one)) for one in groups)
    title = f"The mean map of {len(groups)} target{'s' * (len(groups) > 1)}, {maps.n:,} pictures"
    return Chart("mean_maps", title, caption, head, table, data, about.left_out, about.provenance)


def halves(one: MeanMap) -> tuple[float, float]:
    """What speaks for, and what against, in the mean map."""
    mean = one.heat / one.n
    return float(mean.clip(min=0).sum()), float(-mean.clip(max=0).sum())
