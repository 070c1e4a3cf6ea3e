"""KernelSHAP: Shapley values as the coefficients of the linear model that fits all coalitions best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.target import Target
from .imputers.blur import Blur
from .regions.division import Division, Parts, as_division
from .sampling.coalitions import Coalitions, ShapleyKernel, shapley_kernel
from .sampling.design import binomial
from .sampling.estimator import Estimate, Estimator, named
from .sampling.importance_weights import WeightedRows, weight_rows
from .sampling.least_squares import regress
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses


@named("shapley", "kernel_shap")
@dataclass(frozen=True)
class Kernel(Estimator):
    """Shapley values by constrained weighted least squares.

        phi = argmin sum_S k(S) (f(S) - f(none) - sum_{i in S} phi_i)^2,   k(S) ~ 1 / (C(n, |S|) |S| (n - |S|)),
        with sum_i phi_i = f(x) - f(none), exactly.

    The constraint is kept by projection: what is fitted is how far f(S) lies from the share |S| / n of f(x) - f(none), by how far
    every region's presence lies from |S| / n. Binomials cancel against how many coalitions of a size were asked: none is formed.

    References: Lundberg and Lee, 2017, https://doi.org/10.48550/arXiv.1705.07874, Theorem 2
    """

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        n = responses.n
        data = weight_rows(responses, target, shapley_kernel(n), "Shapley values")
        none, full = responses.read_empty(target).double().cpu(), responses.read_full(target).double().cpu()
        rise = full - none.mean()
        share = data.size / n
        X, y = data.present - share[:, None], data.y - none.mean() - rise * share
        mass = data.w @ X.square().sum(1) / max(1, n - 1)  # X is blind along (1, ..., 1), where nothing is to be fitted
        deviation, error = regress(data, X, y, mass.clamp(min=1e-300) * torch.ones(n, n, dtype=torch.float64) / n)
        if n == 1:
            error = torch.zeros(1, dtype=torch.float64)
        if len(none) > 1:
            error = (error.square() + none.var() / len(none) / n**2).sqrt()
        return Estimate(deviation + rise / n, error, data.notes)


@named("banzhaf")
@dataclass(frozen=True)
class Banzhaf(Estimator):
    """Banzhaf values: how much the target rises with a region, on average over all sets of the others, each as likely.

        beta_i = 2^(1-n) sum_{S without i} f(S + i) - f(S)

    They are the coefficients of the linear model that fits all 2^n coalitions best, each counted the same, and are estimated as
    those. Less noise enters than into Shapley values; they do not sum to f(x) - f(none).

    References: Hammer and Holzman, 1992, Approximations of pseudo-Boolean functions, ZOR 36, 3-21; Wang and Jia, 2023, Data
        Banzhaf, https://doi.org/10.48550/arXiv.2205.15466
    """

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        data = weight_rows(responses, target, binomial(responses.n, 0.5), "Banzhaf values")
        values, error = regress(data, with_constant(data), data.y, torch.zeros(responses.n + 1, responses.n + 1).double())
        return Estimate(values[1:], error[1:], data.notes)


def with_constant(data: WeightedRows) -> Tensor:
    """The rows with a column of ones before them."""
    return torch.cat([torch.ones(len(data.present), 1, dtype=torch.float64), data.present], 1)


def kernel_shap(
    regions: Division | Tensor | None = None,
    budget: int | None = None,
    imputer: Any = None,
    *,
    sampling: str = "leverage",
    draws: int = 1,
    seed: int = 0,
    tol: float | None = None,
    batch: int | None = None,
) -> Perturbation:
    """Shapley values by regression: fair shares of f(x) - f(nothing there) among the regions.

    Exact when the budget reaches for all 2^n coalitions: eight regions take 254 forward passes.

    References: Lundberg and Lee, 2017, https://doi.org/10.48550/arXiv.1705.07874; Musco and Witter, 2025,
        https://doi.org/10.48550/arXiv.2410.01917. The papers draw coalitions one by one with replacement, or without and with
        drawn sizes; ours come in pairs with their complements, without replacement, sizes taking turns.

    Arguments:
        regions: A division, or a tensor with the number of the region at every entry; None: about 50 superpixels, or cells of a
            grid without scikit-image; single columns of a table.
        budget: Forward passes; None: ten per region, from 256 to 20,000. Two per region are the least; below five
            `shapley` is the better choice.
        imputer: What stands where regions are taken away; None: the input, blurred.
        sampling: "leverage", or "kernel" for coalitions drawn as Lundberg and Lee do: for the same error it takes some six times
            as many.
        draws: Random draws per coalition, for an imputer that draws.
        tol: Stop before the budget, once the greatest standard error is below that share of the range of the values.

    Raises:
        MethodError: the budget does not reach for as many regions.
    """
    designs = {"leverage": Coalitions, "kernel": ShapleyKernel}
    if sampling not in designs:
        raise MethodError(
            f"kernel_shap with sampling={sampling!r}", "an unknown way to draw coalitions", "there are two",
            'Use "leverage", or "kernel" as the paper does.',
        )  # fmt: skip
    design = designs[sampling](budget, seed=seed)
    fill = Blur() if imputer is None else imputer
    return Perturbation("kernel_shap", as_division(regions, Parts(50)), design, Kernel(), fill, draws, tol, batch)
