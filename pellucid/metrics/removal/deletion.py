"""Deletion and insertion: the probability while pixels are removed, and while they are inserted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.core.blur import bell, mirrored
from pellucid.methods.perturb.imputers.imputer import Fill
from pellucid.methods.perturb.regions.division import Entries
from pellucid.methods.perturb.regions.regions import Regions
from pellucid.model import Model
from .experiment import Scheme
from .reduction import Reduction, Removed
from .steps import Every


def auc(scores: Tensor) -> float:
    """The area under a curve with equal steps, over its length: (sum s - s_0 / 2 - s_N / 2) / N.

    Example:
        >>> auc(torch.tensor([1.0, 0.5, 0.0]))
        0.5
    """
    return float((scores.sum() - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1))


ZEROS = Scheme(Entries(), 0.0, Every(None), weigh="sum")


@dataclass(frozen=True)
class Deletion(Reduction):
    """The area under the curve of the probability while pixels become 0, the most relevant first. Lower is better.

    As many pixels at a step, with all their channels, as make 224 steps, as for 224 x 224 in the paper's code.

    References: RISE: randomized input sampling for explanation of black-box models (Petsiuk et al., 2018),
        https://doi.org/10.48550/arXiv.1806.07421
    """

    name: ClassVar[str] = "deletion"
    higher: ClassVar[bool] = False

    scheme: Scheme = ZEROS

    def reduce(self, found: Removed) -> float:
        return auc(found.falling.read(self.reading))


@dataclass(frozen=True)
class Blurred:
    """The blurred picture that insertion begins with: a Gaussian in a window, as the paper's code has it.

    That code draws the Gaussian in a square of `size` places with mirrored borders, which for a width of 5 in 11 places is nearly
    flat, and lays it over the picture with zeros around it. Of a table it is the mean of the row.
    """

    soft: ClassVar[bool] = True
    random: ClassVar[bool] = False

    size: int = 11
    sigma: float = 5.0

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        content = self._blurred(x) if x.dim() > 2 else x.mean(1, keepdim=True)
        return lambda gone, draws: content

    def _blurred(self, x: Tensor) -> Tensor:
        weights, reach = self._weights().to(x), self.size // 2
        for axis in range(2, x.dim()):
            wide = torch.nn.functional.pad(x.movedim(axis, -1), (reach, reach))
            x = (wide.unfold(-1, self.size, 1) * weights).sum(-1).movedim(-1, axis)
        return x

    def _weights(self) -> Tensor:
        reach = int(4 * self.sigma + 0.5)
        steps = torch.arange(-reach, reach + 1)
        weights = bell(steps.double(), self.sigma)
        at = mirrored(steps + self.size // 2, self.size)
        return torch.zeros(self.size, dtype=torch.float64).index_add_(0, at, weights / weights.sum())


SHARPENED = Scheme(Entries(), Blurred(), Every(None, back=True), weigh="sum")


@dataclass(frozen=True)
class Insertion(Reduction):
    """The area under the curve of the probability while pixels of a blurred picture become sharp, the most relevant first.

    Higher is better; steps as for deletion. Where all but the k most relevant pixels are blurred, those are removed that come
    first in the order from the least relevant: it is that curve, read backwards.

    References: Petsiuk et al., 2018, https://doi.org/10.48550/arXiv.1806.07421
    """

    name: ClassVar[str] = "insertion"
    ends: ClassVar[str] = "least"

    scheme: Scheme = SHARPENED

    def reduce(self, found: Removed) -> float:
        return auc(found.holding.read(self.reading))
