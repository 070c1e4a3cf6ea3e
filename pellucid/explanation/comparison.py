"""Comparison: what several methods answered to one question, side by side, and how far they agree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.one_line import cut, one_line
from pellucid.core.statistics import rank_correlation
from pellucid.errors import PellucidError, error_to_dict
from .explanation import Explanation
from .serialization import summary


@dataclass(frozen=True)
class Agreement(Displayed):
    """How far two methods say the same of one sample.

    Arguments:
        first, second: The methods.
        correlation: Spearman's rank correlation of their values, place by place, in [-1, 1]; of their sizes where one of the
            two does not tell for from against. None where one of them shows nothing, or the same everywhere.
        overlap: Of the places in the regions of either that speak for the target, the share that lies in both, in [0, 1]. Two
            tenths of a picture chosen by chance overlap by 0.05. None where one of them has no such region.
    """

    kind: ClassVar[str] = "agreement"

    first: str
    second: str
    correlation: float | None
    overlap: float | None

    __repr__ = one_line


@dataclass(frozen=True, eq=False)
class Comparison(Displayed):
    """One question, and the answers of several methods.

    Arguments:
        names: All methods that were asked, in that order.
        explanations: The answers, by method.
        failures: What went wrong, by method, for those that could not answer.
        seconds: How long each took.
    """

    kind: ClassVar[str] = "comparison"

    names: tuple[str, ...]
    explanations: dict[str, Explanation]
    failures: dict[str, PellucidError]
    seconds: dict[str, float]

    def __getitem__(self, name: str) -> Explanation:
        if name in self.failures:
            raise self.failures[name]
        return self.explanations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        """How many methods were asked."""
        return len(self.names)

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return cut(f"Comparison({', '.join(self.names)} -> {self.any.target}{failed})")

    @property
    def any(self) -> Explanation:
        """One of the explanations, for what all of them share: the target, its value, the picture, the classes."""
        return next(iter(self.explanations.values()))

    def agreement(self, sample: int = 0, top: float = 0.1) -> tuple[Agreement, ...]:
        """How far the methods agree, pair by pair.

        Arguments:
            top: Share of the places that regions take up.
        """
        maps = {name: compared_map(e[sample], top) for name, e in self.explanations.items()}
        return tuple(Agreement(one, other, *agreement(maps[one], maps[other])) for one, other in combinations(maps, 2))

    def take(self, sample: int) -> Comparison:
        """The comparison of one sample."""
        return replace(self, explanations={name: e[sample] for name, e in self.explanations.items()})

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.png, .html, .json), as `Explanation.save`; sheets and pages take `top` and `by` of its `regions`."""
        return save(self, path, "comparison", **options)


@dataclass(frozen=True, eq=False)
class ComparedMap:
    """What of one sample's map is compared."""

    heat: NDArray[np.float64]  # with shape (height, width)
    signed: bool
    regions: NDArray[np.bool_]  # true at places in the regions that speak for the target
    evidence: bool


def compared_map(e: Explanation, top: float) -> ComparedMap:
    """An explanation of one sample, made ready to be compared."""
    heat = e.heat().cpu().double().numpy()
    masks = [one.mask.numpy() for one in e.regions(top) if not one.against]
    regions = np.any(masks, axis=0) if masks else np.zeros(heat.shape, dtype=bool)
    return ComparedMap(heat, e.signed, regions, not (e.nothing() or e.doubt()))


def agreement(one: ComparedMap, other: ComparedMap) -> tuple[float | None, float | None]:
    """Rank correlation and overlap of two maps; None where there is none."""
    if not (one.evidence and other.evidence and one.heat.shape == other.heat.shape):
        return None, None
    heats = (one.heat, other.heat) if one.signed and other.signed else (np.abs(one.heat), np.abs(other.heat))
    either, both = int((one.regions | other.regions).sum()), int((one.regions & other.regions).sum())
    return rank_correlation(*heats), both / either if one.regions.any() and other.regions.any() else None


def to_dict(c: Comparison) -> dict[str, Any]:
    """The comparison as plain data, without arrays."""
    return {
        "target": c.any.target,
        "output": c.any.output.tolist(),
        "methods": {name: summary(c[name]) | {"seconds": c.seconds[name]} for name in c.explanations},
        "failures": {name: error_to_dict(error) for name, error in c.failures.items()},
        "agreement": [vars(pair) for pair in c.agreement()],
    }
