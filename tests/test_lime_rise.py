"""LIME and RISE: the published formulas, written out slowly, and what they must give where the answer is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.methods.perturb.kernel_shap import kernel_shap
from pellucid.methods.perturb.lime import Surrogate, lime
from pellucid.methods.perturb.regions.division import Entries, Grid, Parts
from pellucid.methods.perturb.regions.regions import Cells
from pellucid.methods.perturb.rise import MaskMean, SoftGrid, rise
from pellucid.methods.perturb.sampling.design import Bernoulli
from pellucid.methods.perturb.sampling.perturbation import Perturbation
from tests.cases import CASE
from tests.games import coalitions, covered, game, linear, off

WEIGHTS = [3.0, -1.0, 0.5, 0.0, 2.0, -4.0, 1.5, 0.25]


# -- LIME ---------------------------------------------------------------------------------------------------------------------


def lime_by_loops(rows: Tensor, y: Tensor, width: float, alpha: float) -> Tensor:
    """Weighted ridge regression with a constant that costs nothing, one row after another."""
    n = rows.shape[1]
    A, b = torch.zeros(n + 1, n + 1).double(), torch.zeros(n + 1).double()
    for row, answer in zip(rows.double(), y, strict=True):
        distance = 1 - float(row.sum()) / (math.sqrt(n) * float(row.norm())) if row.any() else 1.0
        weight = math.sqrt(math.exp(-(distance**2) / width**2))
        z = torch.cat([torch.ones(1).double(), row])
        A += weight * z[:, None] * z
        b += weight * float(answer) * z
    A[range(1, n + 1), range(1, n + 1)] += alpha
    return torch.linalg.solve(A, b)[1:]


@pytest.mark.parametrize("width, alpha", [(0.25, 1.0), (0.25, 0.0), (1.0, 10.0)])
def test_lime_is_the_ridge_regression_of_the_paper(width: float, alpha: float):
    payoff, budget = game(8, 0), 150
    rows = torch.cat([Bernoulli(budget, seed=5).rows(8, 0, budget), torch.ones(1, 8, dtype=torch.bool)])
    expected = lime_by_loops(rows, payoff(rows)[:, 0], width, alpha)
    method = lime(budget=budget, imputer=0.0, kernel_width=width, alpha=alpha, seed=5)
    assert torch.allclose(pl.explain(payoff, payoff.everyone, 0, method).values[0], expected, rtol=1e-9, atol=1e-12)


def test_lime_of_a_linear_payoff_is_exact_without_a_ridge_and_smaller_with_one():
    payoff = linear(WEIGHTS)
    exact, ridged = (pl.explain(payoff, payoff.everyone, 0, lime(budget=200, imputer=0.0, alpha=alpha)) for alpha in (0.0, 5.0))
    assert torch.allclose(exact.values[0], torch.tensor(WEIGHTS).double(), atol=1e-10)
    assert exact.error is not None and float(exact.error.max()) < 1e-8
    assert 0.5 < float(ridged.values.norm() / exact.values.norm()) < 1


def local_model(payoff: Any, n: int) -> Tensor:
    """The linear model LIME would fit, without a ridge, if it asked for all coalitions."""
    z = coalitions(n)
    X, near = torch.cat([torch.ones(len(z), 1).double(), z], 1), torch.exp(-((1 - (z.sum(1) / n).sqrt()) ** 2) / (2 * 0.25**2))
    return torch.linalg.solve((X * near[:, None]).T @ X, (X * near[:, None]).T @ payoff(z)[:, 0])[1:]


def test_intervals_of_lime_hold_the_truth_as_often_as_they_say():
    shares = []
    for seed in range(50):
        payoff = game(10, seed)
        e = pl.explain(payoff, payoff.everyone, 0, lime(budget=200, imputer=0.0, alpha=0.0, seed=seed, batch=256))
        assert e.error is not None
        shares.append(covered(e.values[0], e.error[0], local_model(payoff, 10)))
    assert 0.90 <= sum(shares) / len(shares) <= 0.97


def test_lime_can_be_read_from_rows_that_were_drawn_for_shapley_values():
    payoff = game(10, 3)
    run = kernel_shap(budget=500, imputer=0.0).sample(payoff, payoff.everyone, 0)
    found = run.fit(Surrogate(alpha=0.0))
    assert off(found.values, local_model(payoff, 10)) < 0.1
    assert found.error is not None and covered(found.values, found.error, local_model(payoff, 10)) >= 0.8


def test_regions_are_greyed_out_by_their_mean_and_single_columns_by_that_of_the_row(rng: torch.Generator):
    x, w = torch.randn(1, 6, generator=rng).double(), torch.randn(6, generator=rng).double()
    columns = pl.explain(lambda z: (z @ w)[:, None], x, 0, lime(budget=100, alpha=0.0)).values[0]
    assert torch.allclose(columns, w * (x[0] - x.mean()), atol=1e-9)
    halves = pl.explain(lambda z: (z @ w)[:, None], x, 0, lime(Grid(2), budget=100, alpha=0.0)).values[0]
    wanted = [w[part] @ (x[0, part] - x[0, part].mean()) for part in (slice(0, 3), slice(3, 6))]
    assert torch.allclose(halves[[0, 5]], torch.stack(wanted), atol=1e-9)


def test_of_fewer_rows_than_regions_the_ridge_still_makes_a_map():
    payoff = game(40, 0)
    e = pl.explain(payoff, payoff.everyone, 0, lime(budget=20, imputer=0.0))
    assert e.values.isfinite().all() and "Under-sampled" in e.caption()


# -- the regions nobody asked for ---------------------------------------------------------------------------------------------


def quarters(side: int = 32) -> Tensor:
    """A picture of four colours."""
    x = torch.zeros(1, 3, side, side)
    x[:, 0, : side // 2], x[:, 1, :, : side // 2] = 1.0, 1.0
    return x + 0.05 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))


def test_a_picture_is_cut_into_superpixels_and_the_caption_says_so():
    pytest.importorskip("skimage")
    model = pl.load(CASE["plain"].net())
    regions = Parts(50).of(quarters(), model)
    assert 25 <= regions.n <= 75 and regions.note == f"No regions were given: the input is divided into {regions.n} superpixels."
    e = pl.explain(model, CASE["plain"].inputs()[:1], 1, lime(budget=64))
    assert any("No regions were given" in note for note in e.notes)


def test_without_scikit_image_it_is_a_grid(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    regions = Parts(50).of(quarters(), pl.load(CASE["plain"].net()))
    assert regions.n == 49 and "cells of a grid, since scikit-image is not installed" in regions.note


@pytest.mark.parametrize(
    "shape, n, what",
    [
        ((1, 7), 7, "single columns"),
        ((1, 2, 90), 50, "cells of a grid"),
        ((1, 1, 6, 90), 42, "cells of a grid"),
        ((1, 2, 9, 9, 9), 64, "cells"),
    ],
)
def test_what_is_no_picture_is_cut_otherwise(shape: tuple[int, ...], n: int, what: str):
    regions = Parts(50).of(torch.rand(shape), pl.load(lambda x: x))
    assert regions.n == n and f"No regions were given: the input is divided into {n} {what}" in regions.note


# -- RISE ---------------------------------------------------------------------------------------------------------------------


def rise_by_loops(masks: Tensor, f: Tensor, plain: bool, p: float) -> Tensor:
    """Place by place, mask by mask."""
    flat = masks.double().flatten(1)
    S = torch.zeros(flat.shape[1]).double()
    for place in range(flat.shape[1]):
        total = seen = 0.0
        for mask, answer in zip(flat[:, place].tolist(), f.tolist(), strict=True):
            total += mask * (answer if plain else answer - float(f.mean()))
            seen += mask
        S[place] = total / (len(f) * p) if plain else total / seen
    return S.reshape(masks.shape[1:])


@pytest.mark.parametrize("plain", [False, True])
def test_rise_is_the_sum_of_the_paper(plain: bool, rng: torch.Generator):
    x, w = torch.rand(1, 3, 12, 10, generator=rng).double(), torch.randn(3, 12, 10, generator=rng).double()
    asked: list[Tensor] = []

    def net(z: Tensor) -> Tensor:
        asked.append(z)
        return (z * w).sum((1, 2, 3))[:, None].tanh()

    method = rise(60, grid=4, imputer=0.0, plain=plain, batch=60)
    e = pl.explain(net, x, 0, method)
    variants = max(asked, key=len)
    masks = (variants / x)[:, 0]
    expected = rise_by_loops(masks, net(variants)[:, 0], plain, 0.5)
    assert e.shared and e.signed is not plain
    assert torch.allclose(e.values[0], expected.expand(3, 12, 10), rtol=1e-5, atol=1e-7)


def test_masks_of_rise_are_soft_shifted_and_half_there():
    regions = SoftGrid(4, seed=1).of(torch.zeros(1, 3, 32, 32), pl.load(lambda x: x))
    rows = Bernoulli(400).rows(16, 0, 400)
    gone = regions.gone(~rows, range(400))
    assert isinstance(regions, Cells) and gone.shape == (400, 1, 32, 32)
    assert float((gone.mean() - 0.5).abs()) < 0.03 and float((gone.mean(0) - 0.5).abs().max()) < 0.12
    assert ((gone > 0.05) & (gone < 0.95)).float().mean() > 0.2, "edges are soft"
    same = regions.gone(~rows[:1].expand(50, 16), range(50))
    assert len(same.unique(dim=0)) > 10, "the same row, shifted otherwise"


def test_rise_of_a_linear_payoff_is_half_of_each_weight():
    """E[f | i is seen] - E[f] = (1 - p) w_i."""
    payoff = linear(WEIGHTS)
    e = pl.explain(payoff, payoff.everyone, 0, rise(20_000, p=0.3, imputer=0.0, batch=256))
    assert e.error is not None
    assert torch.allclose(e.values[0], 0.7 * torch.tensor(WEIGHTS).double(), atol=0.15)
    clear = torch.tensor(WEIGHTS).abs().argsort()[3:]  # those that are not about zero
    assert torch.equal(e.values[0].abs().argsort()[3:], clear)


def test_the_control_variate_takes_most_of_the_noise():
    payoff = linear(WEIGHTS)

    def shifted(z: Tensor) -> Tensor:
        return payoff(z) + 10

    found = {
        plain: [pl.explain(shifted, payoff.everyone, 0, rise(300, imputer=0.0, plain=plain, seed=s)).values[0] for s in range(6)]
        for plain in (True, False)
    }
    spread = {plain: float(torch.stack(values).std(0).mean()) for plain, values in found.items()}
    assert spread[False] < 0.5 * spread[True]


@pytest.mark.parametrize("plain", [False, True])
def test_intervals_of_rise_hold_the_truth_as_often_as_they_say(plain: bool):
    shares, z = [], coalitions(10)
    for seed in range(50):
        payoff = game(10, seed)
        f = payoff(z)[:, 0]
        truth = torch.stack([f[z[:, i] == 1].mean() for i in range(10)]) - (0 if plain else f.mean())
        e = pl.explain(payoff, payoff.everyone, 0, rise(200, imputer=0.0, plain=plain, seed=seed, batch=256))
        assert e.error is not None
        shares.append(covered(e.values[0], e.error[0], truth))
    assert 0.90 <= sum(shares) / len(shares) <= 0.97


def test_errors_of_soft_masks_are_those_of_repeated_runs(rng: torch.Generator):
    x, w = torch.rand(1, 1, 12, 12, generator=rng), torch.randn(1, 12, 12, generator=rng)
    runs = [pl.explain(lambda z: (z * w).sum((1, 2, 3))[:, None], x, 0, rise(200, 3, seed=seed, batch=256)) for seed in range(30)]
    found = torch.stack([e.values[0] for e in runs]).std(0)
    told = torch.stack([e.error[0] for e in runs if e.error is not None]).square().mean(0).sqrt()
    assert 0.85 < float((told / found).mean()) < 1.15


def test_pairs_of_masks_are_counted_as_pairs():
    payoff = linear(WEIGHTS)
    paired = Perturbation("rise", Entries(), Bernoulli(400, paired=True), MaskMean(), 0.0, batch=256)
    runs = [pl.explain(payoff, payoff.everyone, 0, replace_seed(paired, seed)) for seed in range(30)]
    found = torch.stack([e.values[0] for e in runs]).std(0)
    told = torch.stack([e.error[0] for e in runs if e.error is not None]).mean(0)
    assert 0.8 < float((told / found).mean()) < 1.25


def replace_seed(method: Perturbation, seed: int) -> Perturbation:
    design = Bernoulli(method.design.count(0), paired=True, seed=seed)
    return Perturbation(method.name, method.division, design, method.estimator, method.imputer, batch=method.batch)


def test_rise_stops_when_it_is_sure_enough():
    payoff = linear([9.0, 0.0, 0.0])
    e = pl.explain(payoff, payoff.everyone, 0, rise(4000, imputer=0.0, tol=0.05))
    assert e.error is not None and float(e.error.max()) < 0.05 * float(e.values.max() - e.values.min())
    short = pl.explain(payoff, payoff.everyone, 0, rise(40, imputer=0.0, tol=0.001))
    assert any("The tolerance of 0.001 was not reached" in note for note in short.notes)


def test_a_grid_finer_than_the_picture_is_one_cell_per_place():
    e = pl.explain(lambda z: z.sum((1, 2, 3))[:, None], torch.ones(1, 1, 3, 5), 0, rise(50, grid=9, imputer=0.0))
    assert e.values.shape == (1, 1, 3, 5) and e.values.isfinite().all()


# -- what cannot be asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: rise(grid=0), "a grid of 0 cells"),
        (lambda: rise(p=0.0), "then all rows are the same"),
        (lambda: rise(budget=1), "at least 2 are needed"),
        (lambda: lime(kernel_width=0.0), "the width is above zero"),
        (lambda: lime(alpha=-1.0), "the ridge zero or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Any, message: str):
    with pytest.raises(pl.MethodError, match=message):
        make()


def test_soft_masks_need_an_imputer_that_mixes():
    with pytest.raises(pl.MethodError, match=r"masks with values between 0 and 1.*can only replace whole places"):
        pl.explain(CASE["plain"].net(), CASE["plain"].inputs(), 1, rise(10, imputer=lambda x, gone: x * 0))


def test_rows_of_single_regions_cannot_serve_lime():
    from pellucid.methods.perturb.occlusion import feature_ablation

    x = torch.ones(1, 1, 4, 4)
    run = feature_ablation(Grid(2)).sample(lambda z: z.sum((1, 2, 3))[:, None], x, 0)
    with pytest.raises(pl.MethodError, match=r"LIME from these responses: found rows of OneOut\(\).*equally likely"):
        run.fit("lime")
