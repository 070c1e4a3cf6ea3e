"""RISE: the mean target over random masks, for every place, weighted by how far the masks show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.model import Model
from pellucid.target import Target
from .imputers.blur import Blur
from .regions.division import Division, Entries
from .regions.regions import Cells, Regions, mask_shape, spatial_shape
from .sampling.design import Bernoulli, binomial
from .sampling.estimator import Estimate, Estimator, named
from .sampling.importance_weights import WeightedRows, weight_rows
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses

BLOCK, MOST = 64, 2**21  # masks made at once, and places of them, at most


@dataclass(frozen=True)
class SoftGrid(Division):
    """A grid of n cells along every axis, or as many as there are places, drawn large with soft edges and shifted from row to
    row by `seed`; columns of a table one by one.
    """

    n: int = 7
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise MethodError(f"a grid of {self.n} cells", f"grid={self.n}", "there is nothing to take away", "Try grid=7.")

    def of(self, x: Tensor, model: Model) -> Regions:
        if x.dim() == 2:
            return Entries().of(x, model)
        return Cells(mask_shape(x), tuple(min(self.n, side) for side in spatial_shape(x)), self.seed)


@named("rise")
@dataclass(frozen=True)
class MaskMean(Estimator):
    """How much higher the target is on average when a place can be seen, than on average over all rows.

        S(p) = sum_k (f_k - mean f) M_k(p) / sum_k M_k(p)

    with M_k(p) in [0, 1] how far place p can be seen in row k. Weighted by what was seen in place of what should have been, and
    with the mean taken off (a control variate), chance counts for much less than in the paper's estimate, S(p) = sum_k f_k M_k(p)
    / (K E[M]), which `plain` gives: it ranks places the same way, but all of its values lie about mean f.

    Standard errors are those of a ratio of sums, by its linear part, from sums that are kept while masks pass by.

    References: Petsiuk et al., 2018, https://doi.org/10.48550/arXiv.1806.07421; Cochran, 1977, Sampling Techniques, section 2.11

    Arguments:
        plain: The paper's estimate.
    """

    plain: bool = False
    p: float = 0.5

    @property
    def signed(self) -> bool:
        return not self.plain

    def estimate(self, responses: Responses, target: Target) -> Estimate:
        data = weight_rows(responses, target, binomial(responses.n, self.p), "RISE")
        soft = isinstance(responses.regions, Cells)
        sums = _sums(data, _masks(responses) if soft else iter([data.present]), centred=not self.plain)
        values, error = _plain(*sums, self.p * data.w.sum()) if self.plain else _ratio(*sums, data.w.sum())
        return Estimate(values, error, data.notes, painted=soft)


def _masks(responses: Responses) -> Iterator[Tensor]:
    """How far every place can be seen, some rows at a time, with shape (k, places)."""
    regions, unit = responses.regions, responses.design.unit(responses.n)
    assert regions is not None
    step = max(1, min(BLOCK, MOST // prod(regions.shape)) // unit) * unit
    for start in range(0, len(responses), step):
        stop = min(start + step, len(responses))
        gone = regions.gone(~responses.rows(start, stop).to(responses.answers.device), range(start, stop))
        yield (1 - gone.double()).flatten(1).cpu()


def _sums(data: WeightedRows, masks: Iterator[Tensor], *, centred: bool) -> tuple[Tensor, Tensor, int]:
    """Sums over all rows of w f M, w M and w f, with shape (3, places), their second moments over units, (3, 3, places), and how
    many units there are."""
    f = data.y - (data.w @ data.y) / data.w.sum() if centred else data.y
    first, second, start = torch.zeros(3, 1).double(), torch.zeros(3, 3, 1).double(), 0
    for mask in masks:
        w, g, open_share = (part[start : start + len(mask), None] for part in (data.w, f, data.open_share.sqrt()))
        terms = torch.stack([w * g * mask, w * mask, (w * g).expand_as(mask)])
        first = first + terms.sum(1)
        deviations = _by_unit(terms * open_share, data.unit)
        second = second + torch.stack([torch.stack([(a * b).sum(0) for b in deviations]) for a in deviations])
        start += len(mask)
    return first, second, -(-start // data.unit)


def _by_unit(terms: Tensor, unit: int) -> Tensor:
    """Sums over rows drawn together: (3, k, places) becomes (3, units, places)."""
    missing = -terms.shape[1] % unit
    filled = torch.nn.functional.pad(terms, (0, 0, 0, missing)) if missing else terms
    return filled if unit == 1 else filled.reshape(len(terms), -1, unit, terms.shape[2]).sum(2)


def _ratio(first: Tensor, second: Tensor, units: int, w: Tensor) -> tuple[Tensor, Tensor]:
    coverage = first[1].clamp(min=1e-300)
    values = first[0] / coverage
    slopes = torch.stack([1 / coverage, -values / coverage, (-1 / w).expand_as(coverage)])
    variance = torch.einsum("ap,abp,bp->p", slopes, second, slopes).clamp(min=0)
    error = (variance * units / (units - 1)).sqrt() if units > 1 else torch.full_like(values, torch.inf)
    return values, error.where(first[1] > 0, torch.inf)


def _plain(first: Tensor, second: Tensor, units: int, mass: Tensor) -> tuple[Tensor, Tensor]:
    values = first[0] / mass
    if units < 2:
        return values, torch.full_like(values, torch.inf)
    return values, ((second[0, 0] - first[0].square() / units).clamp(min=0) * units / (units - 1)).sqrt() / mass


def rise(
    budget: int = 4000,
    grid: int = 7,
    p: float = 0.5,
    imputer: Any = None,
    *,
    plain: bool = False,
    draws: int = 1,
    seed: int = 0,
    tol: float | None = None,
    batch: int | None = None,
) -> Perturbation:
    """RISE: randomized input sampling; see `MaskMean` for the formula.

    References: Petsiuk et al., 2018, https://doi.org/10.48550/arXiv.1806.07421. The paper takes 4000 masks for VGG16 and 8000 for
        ResNet-50, of 7 x 7 cells with p = 1/2, and blackens what is masked; its code takes 6000 of 8 x 8 with p = 0.1. We blur.

    Arguments:
        budget: Forward passes.
        grid: Cells along each axis of places; columns of a table are taken one by one.
        p: The chance of a cell to be seen.
        imputer: What stands where cells are taken away, soft at their edges; None: the input, blurred.
        plain: The paper's estimate, in place of the one with a control variate.
        draws, tol: As in `kernel_shap`.
    """
    fill = Blur() if imputer is None else imputer
    design, estimator = Bernoulli(budget, p, seed=seed), MaskMean(plain, p)
    return Perturbation("rise", SoftGrid(grid, seed), design, estimator, fill, draws, tol, batch)
