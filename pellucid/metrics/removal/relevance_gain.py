"""Relevance gains: how far apart the curves are when the most and when the least relevant regions are removed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.methods.perturb.regions.division import Parts
from .default_imputer import DefaultImputer
from .experiment import Scheme
from .reduction import Reduction, Removed
from .steps import Log

SUPERPIXELS = Scheme(Parts(25), DefaultImputer(), Log(15), weigh="mean")


@dataclass(frozen=True)
class SRG(Reduction):
    """Symmetric relevance gain: how much higher the curve stays when the least relevant parts go first than when the most do.

        SRG = A(least first) - A(most first) = MRG + LRG,   A the mean height over the share of places removed

    Chance is 0. In the difference most of what the imputer does by itself cancels: over 40 imputers it orders methods alike,
    where either curve alone does not. Parts are about 25 superpixels (columns of a table, stretches of a signal), each with the
    mean of its relevance, and the mean colour in their place (0 in a table); the curve is measured at up to 15 points,
    log-spaced.

    References: Decoupling pixel flipping and occlusion strategy for consistent XAI benchmarks (Bluecher et al., 2024),
        https://doi.org/10.48550/arXiv.2401.06654
    """

    name: ClassVar[str] = "srg"
    ends: ClassVar[str] = "both"

    scheme: Scheme = SUPERPIXELS

    def reduce(self, found: Removed) -> float:
        return found.holding.area(self.reading) - found.falling.area(self.reading)


@dataclass(frozen=True)
class MRG(Reduction):
    """Most relevant first, relevance gain: how far the curve falls below that of random orders.

        MRG = A(random) - A(most first)

    References: Bluecher et al., 2024, https://doi.org/10.48550/arXiv.2401.06654
    """

    name: ClassVar[str] = "mrg"
    relative: ClassVar[bool] = True

    scheme: Scheme = SUPERPIXELS

    def reduce(self, found: Removed) -> float:
        return found.chance - found.falling.area(self.reading)


@dataclass(frozen=True)
class LRG(Reduction):
    """Least relevant first, relevance gain: how far the curve stays above that of random orders.

        LRG = A(least first) - A(random)

    References: Bluecher et al., 2024, https://doi.org/10.48550/arXiv.2401.06654
    """

    name: ClassVar[str] = "lrg"
    ends: ClassVar[str] = "least"
    relative: ClassVar[bool] = True

    scheme: Scheme = SUPERPIXELS

    def reduce(self, found: Removed) -> float:
        return found.holding.area(self.reading) - found.chance
