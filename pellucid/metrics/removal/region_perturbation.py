"""Region perturbation: how far the score falls while regions become noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.methods.perturb.imputers.noise import Noise
from .experiment import Reading, Scheme
from .reduction import Reduction, Removed
from .steps import Every
from .tiles import Tiles

NOISE = Scheme(Tiles(9), Noise("uniform"), Every(1, most=100), weigh="sum")


@dataclass(frozen=True)
class RegionPerturbation(Reduction):
    """AOPC, the area over the perturbation curve: how far the target falls on average, the most relevant regions going first.

        AOPC = 1 / (L + 1) sum_{k=0}^{L} f(x^(0)) - f(x^(k))

    with x^(k) the sample without its k most relevant regions, squares of 9 x 9 pixels, for L = 100 steps or as many squares as
    there are. They become uniform noise between the least and the greatest value of the channel. The paper averages over several
    draws of it: `Scheme(..., draws=5)`.

    References: Evaluating the visualization of what a deep neural network has learned (Samek et al., 2017),
        https://doi.org/10.1109/TNNLS.2016.2599820
    """

    name: ClassVar[str] = "region_perturbation"

    scheme: Scheme = NOISE
    reading: Reading = "target"

    def reduce(self, found: Removed) -> float:
        f = found.falling.read(self.reading)
        return float((f[0] - f).mean())


@dataclass(frozen=True)
class ABPC(Reduction):
    """The area between perturbation curves: how much more is lost with the most relevant regions than with the least relevant.

        ABPC = 1 / (L + 1) sum_{k=0}^{L} f(x_least^(k)) - f(x_most^(k))

    References: Samek et al., 2017, https://doi.org/10.1109/TNNLS.2016.2599820
    """

    name: ClassVar[str] = "abpc"
    ends: ClassVar[str] = "both"

    scheme: Scheme = NOISE
    reading: Reading = "target"

    def reduce(self, found: Removed) -> float:
        return float((found.holding.read(self.reading) - found.falling.read(self.reading)).mean())
