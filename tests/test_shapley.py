"""Shapley and Banzhaf values: exact where they can be, near where they cannot, and as sure as they say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.methods.perturb.imputers.imputer import Constant
from pellucid.methods.perturb.kernel_shap import Banzhaf, Kernel, kernel_shap
from pellucid.methods.perturb.regions.division import Grid, Groups
from pellucid.methods.perturb.sampling.coalitions import Coalitions
from pellucid.methods.perturb.sampling.least_squares import student_factor
from pellucid.methods.perturb.sampling.perturbation import Perturbation
from pellucid.methods.perturb.shapley import shapley
from tests.cases import CASE, difference
from tests.games import Game, banzhaf_by_coalitions, coalitions, covered, game, linear, off, shapley_by_orders

BOTH = {"kernel_shap": kernel_shap, "shapley": shapley}
each_method = pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)


def explained(payoff: Game, method: Perturbation) -> tuple[Tensor, Tensor]:
    e = pl.explain(payoff, payoff.everyone, target=0, method=method)
    assert e.error is not None
    return e.values[0], e.error[0]


def banzhaf(budget: int, seed: int) -> Perturbation:
    return Perturbation("banzhaf", kernel_shap().division, Coalitions(budget, seed), Banzhaf(), 0.0, batch=256)


# -- exact --------------------------------------------------------------------------------------------------------------------


def test_the_closed_form_is_the_mean_over_all_orders():
    payoff = game(5, seed=1)
    assert torch.allclose(payoff.shapley(), shapley_by_orders(payoff, 5), atol=1e-12)
    assert torch.allclose(payoff.banzhaf(), banzhaf_by_coalitions(payoff, 5), atol=1e-12)


@each_method
@pytest.mark.parametrize("n", [1, 2, 3, 6, 8])
def test_up_to_eight_regions_are_exact_and_know_it(make: Any, n: int):
    payoff = game(n, seed=n)
    values, error = explained(payoff, make(imputer=0.0))
    assert torch.allclose(values, payoff.shapley(), atol=1e-12)
    assert not error.any() or float(error.max()) < 1e-12


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_banzhaf_values_of_all_coalitions_are_exact(n: int):
    payoff = game(n, seed=n)
    values, error = explained(payoff, banzhaf(64, 0))
    assert torch.allclose(values, payoff.banzhaf(), atol=1e-12) and float(error.max()) < 1e-12


@each_method
@pytest.mark.parametrize("budget", [60, 100])
def test_of_a_linear_payoff_every_share_is_exact_from_few_rows(make: Any, budget: int):
    payoff = linear([3.0, -1.0, 0.5, 0.0, 2.0, -4.0, 1.0, 0.25, -0.5, 7.0, 1.5, -2.5])
    values, error = explained(payoff, make(budget=budget, imputer=0.0))
    assert torch.allclose(values, payoff.shapley(), atol=1e-10) and float(error.max()) < 1e-8


@each_method
def test_shares_are_of_the_difference_from_the_baseline(make: Any, rng: torch.Generator):
    w, x, b = (torch.randn(12, generator=rng) for _ in range(3))
    e = pl.explain(lambda z: (z @ w)[:, None], x[None], target=0, method=make(budget=60, imputer=b))
    assert torch.allclose(e.values[0], w * (x - b), atol=1e-5)


@each_method
@pytest.mark.parametrize("n, budget", [(6, None), (20, 100), (49, 300)])
def test_shares_sum_to_what_there_is_to_share(make: Any, n: int, budget: int | None):
    payoff = game(n, seed=3)
    values, _ = explained(payoff, make(budget=budget, imputer=0.0))
    assert float(values.sum()) == pytest.approx(float(payoff(payoff.everyone)), rel=1e-9)


def test_who_never_adds_anything_gets_nothing_and_equals_get_the_same():
    def payoff(z: Tensor) -> Tensor:
        return (z[:, 0] * z[:, 1] + z[:, 2] * z[:, 3] * 2)[:, None]

    values = pl.explain(payoff, torch.ones(1, 5).double(), target=0, method=kernel_shap(imputer=0.0)).values[0]
    assert torch.allclose(values, torch.tensor([0.5, 0.5, 1.0, 1.0, 0.0]).double(), atol=1e-12)


# -- near ---------------------------------------------------------------------------------------------------------------------


def mean_error(method: Any, n: int, games: int, **options: Any) -> float:
    found = [
        off(explained(payoff := game(n, seed), method(imputer=0.0, seed=seed, batch=256, **options))[0], payoff.shapley())
        for seed in range(games)
    ]
    return sum(found) / games


def test_ten_rows_for_each_of_49_regions_leave_an_error_below_a_fifth():
    assert mean_error(kernel_shap, 49, 12) <= 0.16  # 0.146 over 30 games


def test_rows_drawn_as_the_paper_does_leave_more_than_twice_the_error():
    ours, published = (mean_error(kernel_shap, 49, 8, sampling=sampling) for sampling in ("leverage", "kernel"))
    assert published > 2 * ours


def test_four_times_as_many_rows_as_the_paper_draws_would_not_be_enough():
    ours = mean_error(kernel_shap, 49, 8, budget=490)
    assert mean_error(kernel_shap, 49, 8, budget=4 * 490, sampling="kernel") > ours


def test_with_few_rows_orders_are_the_better_choice():
    assert mean_error(shapley, 49, 8, budget=200) < mean_error(kernel_shap, 49, 8, budget=200)


def test_an_order_with_its_reverse_beats_two_orders():
    assert mean_error(shapley, 49, 8, antithetic=True) < 0.8 * mean_error(shapley, 49, 8, antithetic=False)


# -- as sure as it says -------------------------------------------------------------------------------------------------------


def coverage(make: Any, games: int, n: int, truth: str = "shapley") -> float:
    shares = []
    for seed in range(games):
        payoff = game(n, seed)
        shares.append(covered(*explained(payoff, make(seed)), getattr(payoff, truth)()))
    return sum(shares) / games


@pytest.mark.parametrize(
    "make, games",
    [
        (lambda seed: kernel_shap(budget=100, imputer=0.0, seed=seed, batch=256), 60),
        (lambda seed: kernel_shap(budget=200, imputer=0.0, seed=seed, batch=256), 200),
        (lambda seed: kernel_shap(budget=400, imputer=0.0, seed=seed, batch=256), 60),
        (lambda seed: kernel_shap(budget=200, imputer=0.0, seed=seed, batch=256, sampling="kernel"), 60),
        (lambda seed: shapley(budget=200, imputer=0.0, seed=seed, batch=256), 200),
        (lambda seed: shapley(budget=400, imputer=0.0, seed=seed, batch=256, antithetic=False), 60),
    ],
    ids=["5 n", "10 n", "20 n", "as published", "orders and reverse", "orders"],
)
def test_intervals_of_95_percent_hold_the_truth_as_often(make: Any, games: int):
    assert 0.90 <= coverage(make, games, n=20) <= 0.97


def test_intervals_for_49_regions_hold_the_truth_as_often():
    assert 0.90 <= coverage(lambda seed: kernel_shap(imputer=0.0, seed=seed, batch=256), games=40, n=49) <= 0.97


def test_intervals_of_banzhaf_values_hold_the_truth_as_often():
    assert 0.90 <= coverage(lambda seed: banzhaf(200, seed), games=60, n=20, truth="banzhaf") <= 0.97


def test_few_numbers_widen_an_error_as_students_t_does():
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 30: 2.042, 1000: 1.962}
    for freedom, quantile in table.items():
        assert 1.959964 * student_factor(freedom) == pytest.approx(quantile, rel=3e-3)


def test_a_single_order_does_not_claim_to_be_sure():
    e = pl.explain(game(9, 0), torch.ones(1, 9).double(), 0, shapley(permutations=2, imputer=0.0))
    assert e.error is not None and e.error.isinf().all()
    assert "Under-sampled" in e.caption()


def test_too_few_rows_for_a_region_each_are_said_to_be_too_few():
    payoff = game(49, 0)
    e = pl.explain(payoff, payoff.everyone, 0, kernel_shap(budget=98, imputer=0.0))
    assert "Under-sampled: 100 forward passes for 49 values" in e.caption()


def test_an_imputer_that_draws_adds_its_noise_to_the_error():
    class Noisy(Constant):
        random = True

        def prepare(self, x: Tensor, regions: Any, model: Any) -> Any:
            def fill(gone: Tensor, draws: Any) -> Tensor:
                noise = [torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(draw)) for draw in draws]
                return torch.stack(noise).to(x)

            return fill

    payoff = linear([1.0] * 10)
    noisy, quiet = (explained(payoff, kernel_shap(budget=100, imputer=fill))[1] for fill in (Noisy(), Constant()))
    assert float(quiet.max()) < 1e-8 < 0.01 < float(noisy.min())
    averaged = explained(payoff, kernel_shap(budget=100, imputer=Noisy(), draws=16))[1]
    assert float(averaged.mean()) < 0.5 * float(noisy.mean())


# -- what captum says ---------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("name", ["plain", "residual", "attending"])
def test_groups_of_pixels_get_captums_shapley_values(make: Any, name: str):
    attr = pytest.importorskip("captum.attr")
    net, x = CASE[name].net(torch.float64), CASE[name].inputs(torch.float64)[:1]
    mask = Grid((2, 2)).of(x, None).labels if x.dim() == 4 else torch.arange(x.shape[1] * x.shape[2]).reshape(x.shape[1:]) % 4
    expected = attr.ShapleyValues(net).attribute(x, baselines=0.2, target=1, feature_mask=mask[None])
    e = pl.explain(net, x, target=1, method=make(Groups(mask), imputer=0.2))
    assert difference(e.values, expected) <= 1e-6  # captum sums in single precision
    assert e.forwards == 2**4


# -- rows that serve others ---------------------------------------------------------------------------------------------------


def test_all_coalitions_serve_shapley_and_banzhaf_values_alike():
    payoff = game(7, seed=2)
    run = kernel_shap(imputer=0.0).sample(payoff, payoff.everyone, target=0)
    assert torch.allclose(run.fit("shapley").values, payoff.shapley(), atol=1e-12)
    assert torch.allclose(run.fit("banzhaf").values, payoff.banzhaf(), atol=1e-12)


def test_rows_of_orders_can_be_read_by_regression():
    payoff = game(20, seed=2)
    run = shapley(budget=800, imputer=0.0).sample(payoff, payoff.everyone, target=0)
    assert off(run.fit(Kernel()).values, payoff.shapley()) < 0.2


def test_values_do_not_depend_on_how_many_rows_are_asked_at_once():
    payoff = game(20, seed=4)
    one, many = (explained(payoff, kernel_shap(budget=200, imputer=0.0, batch=batch))[0] for batch in (1, 64))
    assert torch.allclose(one, many, rtol=1e-12, atol=1e-12)


def test_unknown_ways_to_draw_are_refused():
    with pytest.raises(pl.MethodError, match=r"sampling='uniform': found an unknown way to draw coalitions"):
        kernel_shap(sampling="uniform")


def test_coalitions_of_all_are_all_there_are():
    assert len(coalitions(4).unique(dim=0)) == 16
