"""IROF: the share of the probability that is lost while superpixels are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pellucid.methods.perturb.regions.division import Parts
from .curve import mean_height
from .default_imputer import DefaultImputer
from .experiment import Scheme
from .reduction import Reduction, Removed
from .steps import Every

SUPERPIXELS = Scheme(Parts(25), DefaultImputer(), Every(1), weigh="mean")


@dataclass(frozen=True)
class IROF(Reduction):
    """Iterative removal of features: the area over the curve F(x^(l)) / F(x), l = 0 ... L, the most relevant parts going first.

    F is the probability. Parts are superpixels (columns of a table, cells of a grid), each with the mean of its relevance, and
    the mean colour of the picture in their place; here about 25, those of SRG. It is NaN where F(x) is 0.

    References: IROF: a low resource evaluation metric for explanation methods (Rieger and Hansen, 2020),
        https://doi.org/10.48550/arXiv.2003.08747
    """

    name: ClassVar[str] = "irof"

    scheme: Scheme = SUPERPIXELS

    def reduce(self, found: Removed) -> float:
        f, counts = found.falling.read(self.reading), torch.tensor(found.falling.counts, dtype=torch.float64)
        return 1 - mean_height(counts, f / f[0]) if f[0] else torch.nan
