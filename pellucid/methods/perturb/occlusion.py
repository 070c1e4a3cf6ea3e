"""Occlusion and feature ablation: how much the target falls when a region is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from pellucid.target import Target
from .imputers.imputer import Mean, Zero
from .regions.division import Division, Entries, Sliding, as_division
from .sampling.design import OneOut
from .sampling.estimator import Estimate, Estimator
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses


@dataclass(frozen=True)
class Difference(Estimator):
    """The target on the sample less the target without the region, f(x) - mean over draws of f(x without it).

    The standard error is that of the mean over the draws.
    """

    null_players: ClassVar[bool] = True

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        answers = responses.read(target)
        draws = answers.shape[1]
        values = responses.read_full(target) - answers.mean(1)
        missing = (0, responses.n - len(values))  # called off: regions that were not evaluated count as nothing
        return Estimate(F.pad(values, missing), None if draws < 2 else F.pad(answers.std(1) / draws**0.5, missing))


def occlusion(
    window: int | tuple[int, ...] | None = None,
    stride: int | tuple[int, ...] | None = None,
    imputer: Any = None,
    draws: int = 1,
    batch: int | None = None,
) -> Perturbation:
    """Occlusion: a window slides over the input, and a place gets the mean fall of the target over the windows that cover it.

    References: Zeiler and Fergus, 2014, https://doi.org/10.1007/978-3-319-10590-1_53. The paper paints the target itself; we
        paint how much it falls, as all libraries do.

    Arguments:
        window: Side length in places, or one per axis; None: 16, or a quarter of an axis that is shorter than 64.
        stride: Distance between windows; None: half the window.
        imputer: What covers a window; None: the mean of each channel of the sample.
        draws: Random draws per window, for an imputer that draws.
    """
    fill = Mean() if imputer is None else imputer
    return Perturbation("occlusion", Sliding(window, stride), OneOut(), Difference(), fill, draws, batch=batch)


def feature_ablation(
    regions: Division | Tensor | None = None, imputer: Any = None, draws: int = 1, batch: int | None = None
) -> Perturbation:
    """Feature ablation: every region is taken away once, and all of it gets the fall of the target.

    References: Zeiler and Fergus, 2014, https://doi.org/10.1007/978-3-319-10590-1_53; Fisher et al., 2019,
        https://doi.org/10.48550/arXiv.1801.01489

    Arguments:
        regions: A division, or a tensor with the number of the region at every entry; None: every place on its own.
        imputer: What stands in its place; None: zero, and of columns of a table that are known their mean.
    """
    division, fill = as_division(regions, Entries()), Zero() if imputer is None else imputer
    return Perturbation("feature_ablation", division, OneOut(), Difference(), fill, draws, batch=batch)
