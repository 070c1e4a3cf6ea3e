"""Shapley values from random orders: the mean of what every region adds to those before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.errors import MethodError
from pellucid.target import Target
from .imputers.blur import Blur
from .kernel_shap import Kernel
from .regions.division import Division, Parts, as_division
from .sampling.coalitions import Coalitions, coalition_count, default_budget
from .sampling.design import Design, check_budget
from .sampling.estimator import Estimate, Estimator
from .sampling.importance_weights import design_error
from .sampling.least_squares import student_factor
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses


@dataclass(frozen=True)
class Permutations(Design):
    """Regions enter one after another in a random order, and next in the reverse of it, and so on with another order.

    Where the budget reaches for all 2^n coalitions they are evaluated instead, since then nothing is left to chance.

    Arguments:
        budget: How many rows, n - 1 for each order; None: ten per region, from 256 to 20,000.
        permutations: How many orders, in place of a budget.
        antithetic: Whether every order comes with its reverse.
        exact: Whether all coalitions are asked where the budget reaches for them.

    Example:
        >>> Permutations(budget=40).rows(9, 0, 8).sum(1).tolist()
        [1, 2, 3, 4, 5, 6, 7, 8]
    """

    budget: int | None = None
    permutations: int | None = None
    antithetic: bool = True
    exact: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget("Shapley values by permutations", self.budget)
        if self.permutations is not None and (self.budget is not None or self.permutations < 1):
            raise MethodError(
                f"Shapley values by permutations={self.permutations}", f"budget={self.budget}",
                "one of them says how long it may take, and is at least 1", "Give permutations=20, or budget=1000.",
            )  # fmt: skip

    def complete(self, n: int) -> bool:
        """Whether all coalitions are asked."""
        return n == 1 or (self.exact and coalition_count(n) <= self._budget(n))

    def count(self, n: int) -> int:
        if self.complete(n):
            return coalition_count(n)
        check_budget("Shapley values by permutations", self._budget(n), self._together * (n - 1), n)
        return self._budget(n) // (n - 1) // self._together * self._together * (n - 1)  # orders, reverse ones included

    def repeats(self, n: int) -> bool:
        return not self.complete(n)

    def unit(self, n: int) -> int:
        return 2 if self.complete(n) else max(1, self._together * (n - 1))

    def law(self, n: int) -> Tensor | None:
        return Coalitions().law(n)

    def longer(self, n: int, budget: int) -> Permutations:
        if self.complete(n):
            return self
        return replace(self, budget=max(budget, self.count(n)), permutations=None, exact=False)

    def rows(self, n: int, start: int, stop: int) -> Tensor:
        if self.complete(n):
            return Coalitions(coalition_count(n), self.seed).rows(n, start, stop)
        index, step = torch.arange(start, stop), n - 1
        walks = range(start // step, (stop - 1) // step + 1)
        entered = torch.stack([self.order(n, walk).argsort() for walk in walks])  # when each region enters
        return entered[index // step - walks.start] <= (index % step)[:, None]

    def order(self, n: int, walk: int) -> Tensor:
        """The order in which regions enter."""
        order = torch.randperm(n, generator=stream("order", self.seed, walk // self._together))
        return order.flip(0) if walk % self._together else order

    @property
    def _together(self) -> int:
        return 2 if self.antithetic else 1

    def _budget(self, n: int) -> int:
        if self.permutations is not None:
            return max(self.permutations, self._together) * (n - 1)
        return max(default_budget(n), self._together * (n - 1)) if self.budget is None else self.budget


@dataclass(frozen=True)
class MarginalContributions(Estimator):
    """Shapley values as the mean, over random orders, of what a region adds to those before it.

        phi_i = E[f(those before i, and i) - f(those before i)]

    They sum to f(x) - f(none) in every single order. Standard errors are those of the mean over orders, or over pairs of an order
    and its reverse, widened where they are few (see `student_factor`).
    """

    null_players: ClassVar[bool] = True

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        design, n = responses.design, responses.n
        if not isinstance(design, Permutations):
            raise design_error("marginal contributions", design, "every row has to add one region to the row before")
        if design.complete(n):
            return Kernel().estimate(responses, target)
        y, group = responses.means(target), 2 if design.antithetic else 1
        walks = len(y) // (n - 1)
        walks = walks // group * group or min(walks, 1)  # what was broken off tells nothing of the regions left
        if not walks:
            return Estimate(torch.zeros(n, dtype=torch.float64), torch.full((n,), torch.inf, dtype=torch.float64))
        ends = responses.read_empty(target).mean(), responses.read_full(target)
        none, full = (end.double().cpu().expand(walks, 1) for end in ends)
        steps = torch.cat([none, y[: walks * (n - 1)].reshape(walks, n - 1), full], 1).diff()
        added = torch.stack([torch.empty_like(row).index_copy_(0, design.order(n, k), row) for k, row in enumerate(steps)])
        return Estimate(*_mean(added.reshape(-1, min(group, walks), n).mean(1)))


def _mean(units: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of independent rows, and its standard error, widened for few."""
    k = len(units)
    if k < 2:
        return units[0], torch.full_like(units[0], torch.inf)
    return units.mean(0), units.std(0) / k**0.5 * student_factor(k - 1)


def shapley(
    regions: Division | Tensor | None = None,
    budget: int | None = None,
    imputer: Any = None,
    *,
    permutations: int | None = None,
    antithetic: bool = True,
    draws: int = 1,
    seed: int = 0,
    tol: float | None = None,
    batch: int | None = None,
) -> Perturbation:
    """Shapley values by random orders: the better choice below five forward passes per region; see `kernel_shap`.

    References: Castro et al., 2009, https://doi.org/10.1016/j.cor.2008.04.004; orders with their reverse: Mitchell et al., 2022,
        https://doi.org/10.48550/arXiv.2104.12199

    Arguments:
        regions, imputer, draws, tol: As in `kernel_shap`.
        budget: Forward passes; None: ten per region, from 256 to 20,000. Where they reach for all 2^n coalitions, as for eight
            regions, the values are exact.
        permutations, antithetic: How many orders, in place of a budget; and whether every order comes with its reverse.
    """
    design = Permutations(budget, permutations, antithetic, seed=seed)
    fill = Blur() if imputer is None else imputer
    return Perturbation("shapley", as_division(regions, Parts(50)), design, MarginalContributions(), fill, draws, tol, batch)
