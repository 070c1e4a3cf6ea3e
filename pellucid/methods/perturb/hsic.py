"""HSIC: how strongly the target depends on whether a region is present."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.target import Target
from .imputers.blur import Blur
from .regions.division import Coarse, Division, as_division
from .sampling.design import Bernoulli, Design, binomial, check_budget
from .sampling.estimator import Estimate, Estimator, named
from .sampling.importance_weights import design_error
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses
from .sobol import quasirandom

BLOCK, SOME = 1024, 2048  # rows of L at a time; answers whose distances tell the kernel's width


@dataclass(frozen=True)
class QuasiBernoulli(Design):
    """Every region is there in every other row or so: points of a scrambled Sobol sequence, cut at one half.

    Rows then cover pairs of regions more evenly than random ones do.
    """

    budget: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget("half of the regions at a time", self.budget, 4)

    def law(self, n: int) -> Tensor | None:
        return binomial(n, 0.5)

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        return quasirandom(n, self.seed, start, stop) < 0.5


@named("hsic")
@dataclass(frozen=True)
class Dependence(Estimator):
    """The Hilbert-Schmidt independence criterion of presence and target: 0 where they know nothing of each other.

        HSIC_i = sum (H K_i H) * (H L H) / N^2,   K_i: whether two rows agree on region i,
        L = exp(-(f - f')^2 / 2 s^2),   s: the median of |f - f'|,   H: takes the mean off

    It sees dependence of any shape, not only of the mean, and tells how much, not for or against. With two kinds of rows
    H K_i H = 2 z z', z the presence less its mean, so that nothing larger than N x N is formed. Standard errors are those of
    the V-statistic's linear part (the infinitesimal jackknife).

    References: Gretton et al., 2005, https://doi.org/10.1007/11564089_7; Novello et al., 2022, Making sense of dependence,
        https://doi.org/10.48550/arXiv.2206.06219. Their code takes the median of f itself for s; ours does not change when a
        constant is added to f.
    """

    signed: ClassVar[bool] = False

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        if not isinstance(responses.design, (QuasiBernoulli, Bernoulli)):
            raise design_error("HSIC", responses.design, "regions have to be there independently of one another")
        present, y = responses.rows().double().cpu(), responses.means(target)
        return Estimate(*dependence(present, y, responses.design.unit(responses.n)))


def dependence(present: Tensor, y: Tensor, unit: int = 1) -> tuple[Tensor, Tensor]:
    """HSIC of every column of `present`, (N, n), with y, (N,), and standard errors."""
    z, N = present - present.mean(0), len(y)
    s = _width(y[:SOME])
    Lz = torch.cat([torch.exp(-((rows[:, None] - y) ** 2) / (2 * s**2)) @ z for rows in torch.split(y, BLOCK)])
    parts = 2 * z * (Lz - Lz.mean(0)) / N
    values = parts.mean(0)
    deviations = torch.nn.functional.pad(parts - values, (0, 0, 0, -N % unit)).reshape(-1, unit, present.shape[1]).sum(1)
    return values, 2 * deviations.square().sum(0).sqrt() / N


def _width(y: Tensor) -> Tensor:
    """The median distance of two answers; their mean distance where most answers are the same."""
    distances = torch.pdist(y[:, None]) if len(y) > 1 else torch.zeros(1, dtype=y.dtype)
    median = distances.median()
    return median if median > 0 else distances.mean().clamp(min=1e-150)


def hsic(
    grid: int = 8,
    budget: int = 500,
    imputer: Any = None,
    *,
    regions: Division | Tensor | None = None,
    draws: int = 1,
    seed: int = 0,
    tol: float | None = None,
    batch: int | None = None,
) -> Perturbation:
    """HSIC between the cells of a grid and the target; see `Dependence` for the formula.

    References: Novello et al., 2022, https://doi.org/10.48550/arXiv.2206.06219

    Arguments:
        budget: Forward passes.
        grid, imputer, regions, draws, tol: As in `sobol`.
    """
    fill = Blur() if imputer is None else imputer
    division = as_division(regions, Coarse(grid))
    return Perturbation("hsic", division, QuasiBernoulli(budget, seed), Dependence(), fill, draws, tol, batch)
