"""Comprehensiveness and sufficiency: what is lost without the most relevant places, and with nothing but them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.methods.perturb.regions.division import Entries
from .experiment import Scheme
from .reduction import Reduction, Removed
from .steps import Shares

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
GONE = Scheme(Entries(), 0.0, Shares(SHARES), weigh="sum")
LEFT = Scheme(Entries(), 0.0, Shares(SHARES, back=True), weigh="sum")


@dataclass(frozen=True)
class Comprehensiveness(Reduction):
    """How much probability is lost without the most relevant 1, 5, 10, 20 and 50 % of the places, on average.

        comp = mean_k f(x) - f(x without its top k)

    Places become 0. Tokens of a text: `Scheme(Along(1, "token"), 0.0, Shares((0.01, 0.05, 0.1, 0.2, 0.5)))`.

    References: ERASER: a benchmark to evaluate rationalized NLP models (DeYoung et al., 2020),
        https://doi.org/10.18653/v1/2020.acl-main.408
    """

    name: ClassVar[str] = "comprehensiveness"

    scheme: Scheme = GONE

    def reduce(self, found: Removed) -> float:
        f = found.falling.read(self.reading)
        return float((f[0] - f[1:]).mean())


@dataclass(frozen=True)
class Sufficiency(Reduction):
    """How much probability is lost with nothing but the most relevant 1, 5, 10, 20 and 50 % of the places, on average.

        suff = mean_k f(x) - f(nothing but the top k of x)

    Lower is better, and below 0 where the rest spoke against the class.

    References: DeYoung et al., 2020, https://doi.org/10.18653/v1/2020.acl-main.408
    """

    name: ClassVar[str] = "sufficiency"
    higher: ClassVar[bool] = False
    ends: ClassVar[str] = "least"

    scheme: Scheme = LEFT

    def reduce(self, found: Removed) -> float:
        f = found.holding.read(self.reading)
        return float((f[0] - f[1:]).mean())
