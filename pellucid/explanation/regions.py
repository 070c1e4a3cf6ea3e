"""Regions of an explanation: where evidence lies together, and which share of all evidence lies there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.core.blur import smoothed
from pellucid.core.displayed import Displayed
from pellucid.errors import InputError
from .superpixels import superpixels

Heat = NDArray[np.float64]
Box = tuple[int, int, int, int]

SMOOTH, LEAST = 0.02, 0.01
FAINT = 0.05  # of the strongest place: what is weaker is not among the strongest, however few there are


@dataclass(frozen=True, eq=False)
class Region(Displayed):
    """Places that are told of together.

    Arguments:
        mask: True inside, with shape (height, width).
        box: The rectangle around it: (top, left, bottom, right), the last two just outside, as slices take them.
        evidence: The sum of the values inside, in the target's own units; below zero where the region speaks against.
        share_for: Which share of all evidence for lies inside; of an unsigned method, which share of all there is.
        share_against: Which share of all evidence against.
        area: Which share of all places.
        parts: How many pieces it has; more than one where many small ones were put together.
    """

    kind: ClassVar[str] = "region"

    mask: Tensor
    box: Box
    evidence: float
    share_for: float
    share_against: float
    area: float
    parts: int = 1

    @property
    def against(self) -> bool:
        """Whether what is inside speaks against the target, all in all."""
        return self.evidence < 0

    @property
    def share(self) -> float:
        """The share of its own kind: of all evidence for, or of all evidence against."""
        return self.share_against if self.against else self.share_for

    def __repr__(self) -> str:
        kind = f"{self.share:.1%} of what speaks {'against' if self.against else 'for'}"
        pieces = f", {self.parts} parts" if self.parts > 1 else ""
        return f"Region({kind} on {self.area:.1%} of the places, box {self.box}{pieces})"


def connected(
    heat: Heat, top: float = 0.1, *, smooth: float = SMOOTH, least: float = LEAST, neighbours: bool = True
) -> tuple[Region, ...]:
    """The strongest places for and against, joined where they touch, sides or corners.

    The strongest are the share `top` of all places by the size of what the map holds there after a Gaussian blur, so that a spray
    of single pixels becomes the region it fills; evidence for and against compete, and where little speaks against little is
    shown. Shares and sums are of the values themselves, not of the blurred ones. Places weaker than a twentieth of the strongest
    are left out. Of each kind, regions with less than `least` of its evidence are put together into one with many `parts`.

    Arguments:
        heat: One value per place, with shape (height, width).
        top: Share of all places, in (0, 1].
        smooth: Standard deviation of the blur as a share of the map's longer side; 0 for none.
        least: Share of its kind that a region needs to stand alone.
        neighbours: Whether places that touch belong together; features in a row do not.
    """
    soft = smoothed(heat, smooth * max(heat.shape)) if neighbours else heat
    chosen = strongest(np.abs(soft), top)
    regions = []
    for sign in (1, -1):
        mask = chosen & (np.sign(soft) == sign)
        labels = components(mask) if neighbours else np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
        regions += merge_small(heat, labels, sign, least)
    return by_evidence(regions)


def segments(heat: Heat, labels: NDArray[np.int64], top: float = 0.1) -> tuple[Region, ...]:
    """The segments that speak loudest, for or against, for their size, until they fill the share `top` of the places.

    Segments in which nothing speaks are left out; the loudest is always there, even where it alone is larger than `top`.

    Arguments:
        heat: One value per place, with shape (height, width).
        labels: The segment of every place, with the same shape.
        top: Share of all places, in (0, 1]; 1 for every segment.

    Example:
        >>> segments(np.array([[2.0, 2.0, -1.0, 1.0]]), np.array([[0, 0, 7, 7]]), top=0.5)
        (Region(80.0% of what speaks for on 50.0% of the places, box (0, 0, 1, 2)),)
    """
    _, places = np.unique(labels, return_inverse=True)
    sizes, sums = np.bincount(places.ravel()), np.bincount(places.ravel(), heat.ravel())
    order = np.argsort(-np.abs(sums) / sizes, kind="stable")
    room = max(round(top * heat.size), sizes[order[0]])
    loudest = [piece for piece in order[np.cumsum(sizes[order]) <= room] if sums[piece]]
    return by_evidence(region(heat, places.reshape(heat.shape) == piece) for piece in loudest)


def region(heat: Heat, mask: NDArray[np.bool_], parts: int = 1) -> Region:
    """What lies inside `mask`, weighed against all there is."""
    inside = heat[mask]
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    pro, contra = (share(sign * inside, sign * heat) for sign in (1, -1))
    return Region(torch.from_numpy(mask), box, float(inside.sum()), pro, contra, inside.size / heat.size, parts)


def share(inside: Heat, whole: Heat) -> float:
    """How much of what is above zero in all of it lies inside."""
    total = float(whole.clip(0).sum())
    return float(inside.clip(0).sum()) / total if total else 0.0


def by_evidence(regions: Iterable[Region]) -> tuple[Region, ...]:
    """The one with most evidence, for or against, first."""
    return tuple(sorted(regions, key=lambda one: -abs(one.evidence)))


def strongest(sizes: Heat, top: float) -> NDArray[np.bool_]:
    """The share `top` of the places, those of largest size, and none that is nothing beside the largest."""
    order = np.argsort(-sizes, axis=None, kind="stable")[: max(1, round(top * sizes.size))]
    chosen = np.zeros(sizes.size, dtype=bool)
    chosen[order] = sizes.ravel()[order] > FAINT * sizes.max()
    return chosen.reshape(sizes.shape)


def merge_small(heat: Heat, labels: NDArray[np.int64], sign: int, least: float) -> list[Region]:
    """A region per label but 0; those that hold less than `least` of the evidence of their sign become one."""
    kind = (sign * heat).clip(0)
    names = np.unique(labels[labels > 0])
    held = np.bincount(labels.ravel(), kind.ravel())[names]
    small = names[held < least * kind.sum()]
    regions = [region(heat, labels == name) for name in np.setdiff1d(names, small)]
    return regions + ([region(heat, np.isin(labels, small), parts=len(small))] if len(small) else [])


def components(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The connected part every place belongs to, by a number above 0; 0 outside `mask`. Corners connect.

    Every place points to the smallest place it is known to be connected with, until no two neighbours disagree.

    Example:
        >>> components(np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool))
        array([[ 1,  0,  0,  4],
               [ 0,  1,  0,  4],
               [ 0,  0,  0,  0],
               [13,  0,  0,  0]])
    """
    first, second = touching(mask)
    roots = np.arange(mask.size)
    while (roots[first] != roots[second]).any():
        low = np.minimum(roots[first], roots[second])
        for ends in (roots[first], roots[second]):
            np.minimum.at(roots, ends, low)
        while (roots != roots[roots]).any():
            roots = roots[roots]
    return np.where(mask, roots.reshape(mask.shape) + 1, 0)


def touching(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of places in `mask` that share a side or a corner, as positions in the flattened map."""
    places = np.arange(mask.size).reshape(mask.shape)
    height, width = mask.shape
    firsts, seconds = [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(down, height), slice(max(0, right), width - max(0, -right))
        both = mask[here] & mask[there]
        firsts.append(places[here][both])
        seconds.append(places[there][both])
    return np.concatenate(firsts), np.concatenate(seconds)


def labels_of(by: str | Tensor, shape: tuple[int, ...], picture: NDArray[np.uint8] | None) -> NDArray[np.int64] | None:
    """The segment of every place of a map, from what `Explanation.regions` takes as `by`; None where what touches is a region.

    Arguments:
        shape: Of the map: labels have one entry per place. Superpixels have one per pixel of the picture.
        picture: The photograph below the map, with shape (height, width, 3), if there is one.
    """
    if isinstance(by, Tensor):
        if tuple(by.shape) != shape or by.is_floating_point():
            found = f"{by.dtype} of shape {tuple(by.shape)}"
            raise InputError("regions(by=labels)", found, f"the map has shape {shape}", "Pass one whole number per place.")
        return by.cpu().numpy()
    if by == "connected":
        return None
    if by != "superpixels":
        do = 'Use "connected", "superpixels", or a tensor of labels.'
        raise InputError(f'regions(by="{by}")', f'"{by}"', "nobody here finds regions so", do)
    if picture is None or shape[0] == 1:
        do = 'Explain a picture given as a file, use by="connected", or pass a tensor of labels.'
        raise InputError('regions(by="superpixels")', "no photograph below the map", "superpixels are pieces of one", do)
    return superpixels(picture).numpy()


def finer(heat: Heat, height: int, width: int) -> Heat:
    """A map over finer places, which share the value of the place they lie in, so that sums stay what they were.

    Example:
        >>> finer(np.array([[1.0, 2.0]]), 1, 4)
        array([[0.5, 0.5, 1. , 1. ]])
    """
    rows, columns = (np.arange(size) * old // size for size, old in zip((height, width), heat.shape, strict=True))
    shared = np.outer(np.bincount(rows)[rows], np.bincount(columns)[columns])
    fine: Heat = heat[rows[:, None], columns] / shared
    return fine


def check_share(call: str, top: float) -> None:
    """Refuse what is no share of the places."""
    if not 0 < top <= 1:
        raise InputError(f"{call}(top={top})", f"{top}", "a share of the pixels lies in (0, 1]", f"Ask for {call}(top=0.1), say.")
