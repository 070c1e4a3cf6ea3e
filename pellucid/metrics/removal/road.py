"""ROAD: the probability left while pixels are removed and filled in from their neighbours, with noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.methods.perturb.imputers.noisy_linear import NoisyLinear
from pellucid.methods.perturb.regions.division import Entries
from .experiment import Scheme
from .reduction import Reduction, Removed
from .steps import Shares

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
DEBIASED = Scheme(Entries(), NoisyLinear(), Shares(TENTHS), weigh="sum")


@dataclass(frozen=True)
class ROAD(Reduction):
    """Remove and debias: the mean probability left without the most relevant 10, 20, ... 90 % of the pixels. Lower is better.

    What is removed becomes a smooth surface between what is left, with a little noise, so that the shape of a hole tells little.
    The paper reports the accuracy as well: `ROAD(reading="kept")` is how often the class stays the predicted one.

    References: A consistent and efficient evaluation strategy for attribution methods (Rong et al., 2022),
        https://doi.org/10.48550/arXiv.2202.00449
    """

    name: ClassVar[str] = "road"
    higher: ClassVar[bool] = False

    scheme: Scheme = DEBIASED

    def reduce(self, found: Removed) -> float:
        return float(found.falling.read(self.reading)[1:].mean())


@dataclass(frozen=True)
class ROADCombined(Reduction):
    """Half the difference between what is left without the least and without the most relevant pixels. Higher is better.

    References: Rong et al., 2022, https://doi.org/10.48550/arXiv.2202.00449, for either order; their difference as in the library
        pytorch-grad-cam.
    """

    name: ClassVar[str] = "road_combined"
    ends: ClassVar[str] = "both"

    scheme: Scheme = DEBIASED

    def reduce(self, found: Removed) -> float:
        least, most = found.holding.read(self.reading), found.falling.read(self.reading)
        return float((least - most)[1:].mean()) / 2
