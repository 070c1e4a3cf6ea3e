"""LIME: a linear model that agrees with the network near the sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model import Model
from pellucid.target import Target
from .imputers.imputer import Fill, Imputer, Mean
from .imputers.segment_mean import SegmentMean
from .kernel_shap import with_constant
from .regions.division import Division, Parts, as_division
from .regions.regions import Partition, Regions
from .sampling.design import Bernoulli, binomial
from .sampling.estimator import Estimate, Estimator, named
from .sampling.importance_weights import weight_rows
from .sampling.least_squares import regress
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses


@dataclass(frozen=True)
class Grey(Imputer):
    """Regions become their own mean, as in the authors' code; single places, which are that, the mean of their channel."""

    soft: ClassVar[bool] = True
    around: ClassVar[bool] = True

    def prepare(self, x: Tensor, regions: Regions, model: Model) -> Fill:
        single = isinstance(regions, Partition) and regions.n == int((regions.labels >= 0).sum())
        return Mean().prepare(x, regions, model) if single else SegmentMean().prepare(x, regions, model)


@named("lime")
@dataclass(frozen=True)
class Surrogate(Estimator):
    """The weights of a linear model of the answers, by which region is there: what each adds, near the sample.

        argmin_b sum_k pi(z_k) (f(z_k) - b_0 - b' z_k)^2 + alpha b'b,   pi(z) = sqrt(exp(-d^2 / width^2)),
        d = 1 - sqrt(|z| / n): the cosine distance of z from the sample, as rows of zeros and ones.

    The sample itself is one of the rows, with pi = 1.

    Arguments:
        kernel_width: How far rows may be from the sample and still count.
        alpha: The ridge: how much large weights cost. It shrinks all of them, the more, the fewer rows there are.
    """

    kernel_width: float = 0.25
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not self.kernel_width > 0 or not self.alpha >= 0:
            raise MethodError(
                f"lime with kernel_width={self.kernel_width}, alpha={self.alpha}", "a setting out of range",
                "the width is above zero, and the ridge zero or more", "The usual ones are 0.25 and 1.",
            )  # fmt: skip

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        n = responses.n
        data = weight_rows(responses, target, binomial(n, 0.5), "LIME")
        if isinstance(responses.design, Bernoulli):
            data = data.with_row(torch.ones(n, dtype=torch.float64), responses.read_full(target).double().cpu())
        distance = 1 - (data.size / n).sqrt()
        near = torch.exp(-(distance**2) / (2 * self.kernel_width**2))
        penalty = self.alpha * torch.eye(n + 1, dtype=torch.float64)
        penalty[0, 0] = 0.0  # the constant costs nothing
        values, error = regress(replace(data, w=data.w * near), with_constant(data), data.y, penalty)
        return Estimate(values[1:], error[1:], data.notes)


def lime(
    regions: Division | Tensor | None = None,
    budget: int = 1000,
    imputer: Any = None,
    *,
    kernel_width: float = 0.25,
    alpha: float = 1.0,
    draws: int = 1,
    seed: int = 0,
    tol: float | None = None,
    batch: int | None = None,
) -> Perturbation:
    """LIME: local interpretable model-agnostic explanations; see `Surrogate` for the formula.

    References: Ribeiro et al., 2016, "Why should I trust you?", https://doi.org/10.1145/2939672.2939778. Numbers are those of the
        authors' code: 1000 rows, each region there with probability 1/2, kernel width 0.25, ridge 1, regions greyed out by their
        mean. Departures: their superpixels are quickshift, ours SLIC; they may choose features first, we fit all.

    Arguments:
        regions, draws, tol: As in `kernel_shap`.
        budget: Forward passes.
        imputer: What stands where regions are taken away; None: the mean of each region, or, where regions are single places as
            the columns of a table, the mean of the channel, or of the row.
        kernel_width, alpha: See `Surrogate`.
    """
    fill = Grey() if imputer is None else imputer
    division, design, estimator = as_division(regions, Parts(50)), Bernoulli(budget, seed=seed), Surrogate(kernel_width, alpha)
    return Perturbation("lime", division, design, estimator, fill, draws, tol, batch)
