"""Sobol indices: the share of the target's variance that a region takes part in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from pellucid.core.random import stream
from pellucid.errors import MethodError
from pellucid.target import Target
from .imputers.blur import Blur
from .regions.division import Coarse, Division, as_division
from .sampling.design import Design, check_budget
from .sampling.estimator import Estimate, Estimator, named
from .sampling.importance_weights import design_error
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses

DESIGNS, RESAMPLES = 32, 200


@dataclass(frozen=True)
class SaltelliDesign(Design):
    """Rows of shares in [0, 1], each followed by n others that differ from it in one region.

    Shares are points of a Sobol sequence in 2n dimensions, scrambled: its first half are the rows, its second what is put in
    place of one share at a time.

    References: Saltelli et al., 2010, https://doi.org/10.1016/j.cpc.2009.09.018; Sobol, 1967,
        https://doi.org/10.1016/0041-5553(67)90144-9

    Arguments:
        budget: How many rows; None: 32 points, n + 1 rows for each.
    """

    soft: ClassVar[bool] = True

    budget: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget("Sobol indices", self.budget, 4)

    def count(self, n: int) -> int:
        check_budget("Sobol indices", self.budget, 2 * (n + 1), n)
        if 2 * n > SobolEngine.MAXDIM:
            raise MethodError(
                "Sobol indices", f"{n:,} regions", f"Sobol sequences have {SobolEngine.MAXDIM:,} dimensions, two for each",
                "Divide the input into fewer regions.",
            )  # fmt: skip
        points = DESIGNS if self.budget is None else self.budget // (n + 1)
        return points * (n + 1)

    def unit(self, n: int) -> int:
        return n + 1

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        index = torch.arange(start, stop)
        first = start // (n + 1)
        points = quasirandom(2 * n, self.seed, first, -(-stop // (n + 1)))[index // (n + 1) - first]
        rows, replaced = points[:, :n].clone(), index % (n + 1) - 1
        changed = (replaced >= 0).nonzero()[:, 0]
        rows[changed, replaced[changed]] = points[changed, n + replaced[changed]]
        return rows


def quasirandom(dimensions: int, seed: int, start: int, stop: int) -> Tensor:
    """Points of a scrambled Sobol sequence, from one number up to another."""
    return _sequence(dimensions, seed, 1 << (stop - 1).bit_length())[start:stop]


@lru_cache(maxsize=4)
def _sequence(dimensions: int, seed: int, length: int) -> Tensor:
    engine: Any = SobolEngine  # untyped
    made: Tensor = engine(dimensions, scramble=True, seed=seed).draw(length, dtype=torch.float32)
    return made


@named("sobol")
@dataclass(frozen=True)
class TotalIndex(Estimator):
    """The share of the target's variance that is lost when a region's share is known and fixed, alone or with others.

        S_Ti = sum_j (f(A_j) - f(C_ij))^2 / (2 N Var f(A)),   C_ij: A_j with another share of region i

    It tells how much a region matters, not for or against. Standard errors are those of 200 bootstrap samples of the N points;
    as points of a Sobol sequence lie more evenly than random ones, they are rather too large.

    References: Jansen, 1999, https://doi.org/10.1016/S0010-4655(98)00154-4; Fel et al., 2021, Look at the variance!,
        https://doi.org/10.48550/arXiv.2111.04138
    """

    signed: ClassVar[bool] = False

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        design, n = responses.design, responses.n
        if not isinstance(design, SaltelliDesign):
            raise design_error("Sobol indices", design, "every row has to come again with one region changed")
        y = responses.means(target)
        y = y[: len(y) // (n + 1) * (n + 1)].reshape(-1, n + 1)
        if not len(y):
            return Estimate(torch.zeros(n, dtype=torch.float64), torch.full((n,), torch.inf, dtype=torch.float64))
        every = torch.ones(1, len(y), dtype=torch.float64) / len(y)
        rng = stream("bootstrap", design.seed)
        chosen = torch.randint(len(y), (RESAMPLES, len(y)), generator=rng)
        resampled = torch.zeros(RESAMPLES, len(y), dtype=torch.float64).scatter_add_(1, chosen, torch.ones(chosen.shape).double())
        return Estimate(total_index(y, every)[0], total_index(y, resampled / len(y)).std(0))


def total_index(y: Tensor, weights: Tensor) -> Tensor:
    """Total indices, with shape (samples, n): from the answers to A and its changes, (N, n + 1), with weights for each sample,
    (samples, N)."""
    a = y[:, 0] - y[:, 0].mean()
    variance = weights @ a.square() - (weights @ a).square()
    spread = weights @ (y[:, :1] - y[:, 1:]).square() / 2
    return torch.where(variance[:, None] > 0, spread / variance[:, None].clamp(min=1e-300), 0.0)


def sobol(
    grid: int = 8,
    budget: int | None = None,
    imputer: Any = None,
    *,
    regions: Division | Tensor | None = None,
    draws: int = 1,
    seed: int = 0,
    tol: float | None = None,
    batch: int | None = None,
) -> Perturbation:
    """Sobol's total indices of the cells of a grid; see `TotalIndex` for the formula.

    References: Fel et al., 2021, https://doi.org/10.48550/arXiv.2111.04138: a grid of 8 x 8 or 11 x 11 and 32 points, 2112
        forward passes for 64 cells. We spare the 32 answers to rows B, which do not enter the total index, and paint cells as
        they were changed, where the authors' code draws the map smooth.

    Arguments:
        grid: Cells along each axis of places; columns of a table are taken one by one.
        budget: Forward passes, one more than regions for each point; None: 32 points.
        imputer: What is mixed in where cells fade; None: the input, blurred.
        regions: A division in place of the grid.
        draws, tol: As in `kernel_shap`.
    """
    fill = Blur() if imputer is None else imputer
    division = as_division(regions, Coarse(grid))
    return Perturbation("sobol", division, SaltelliDesign(budget, seed), TotalIndex(), fill, draws, tol, batch)
