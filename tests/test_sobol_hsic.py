"""Sobol indices and HSIC: the published formulas, written out slowly, and what they must give where the answer is known."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor

import pellucid as pl
from pellucid.methods.perturb.hsic import QuasiBernoulli, dependence, hsic
from pellucid.methods.perturb.kernel_shap import kernel_shap
from pellucid.methods.perturb.sampling.design import Bernoulli
from pellucid.methods.perturb.sobol import SaltelliDesign, sobol, total_index
from tests.cases import CASE
from tests.games import coalitions, covered, game, linear, off

WEIGHTS = [3.0, -1.0, 0.5, 0.0, 2.0, -4.0, 1.5, 0.25]


# -- Sobol --------------------------------------------------------------------------------------------------------------------


def jansen_by_loops(f: Any, points: Tensor, n: int) -> Tensor:
    """Jansen's estimate from points in 2n dimensions, one changed share after another."""
    A, B = points[:, :n].double(), points[:, n:].double()
    fA = f(A)[:, 0]
    variance = float(((fA - fA.mean()) ** 2).mean())
    S = []
    for i in range(n):
        C = A.clone()
        C[:, i] = B[:, i]
        S.append(float(((fA - f(C)[:, 0]) ** 2).sum()) / (2 * len(A) * variance))
    return torch.tensor(S, dtype=torch.float64)


def test_sobol_indices_are_jansens_sums():
    payoff, n = game(8, 0), 8
    points = torch.quasirandom.SobolEngine(2 * n, scramble=True, seed=3).draw(32)
    e = pl.explain(payoff, payoff.everyone, 0, sobol(imputer=0.0, seed=3))
    assert torch.allclose(e.values[0], jansen_by_loops(payoff, points, n), rtol=1e-5)
    assert e.forwards == 32 * 9 + 2


def test_of_a_linear_payoff_they_are_shares_of_the_variance():
    """S_Ti = w_i^2 var_i / sum_j w_j^2 var_j."""
    payoff = linear(WEIGHTS)
    e = pl.explain(payoff, payoff.everyone, 0, sobol(budget=9 * 1024, imputer=0.0))
    shares = torch.tensor(WEIGHTS).double().square()
    assert torch.allclose(e.values[0], shares / shares.sum(), atol=0.01)
    assert torch.equal(e.values[0].argsort(), shares.argsort())


def test_a_region_that_only_acts_with_another_has_a_total_index():
    e = pl.explain(
        lambda z: ((z[:, 0] - 0.5) * (z[:, 1] - 0.5))[:, None], torch.ones(1, 3).double(), 0, sobol(budget=4 * 1024, imputer=0.0)
    )
    assert torch.allclose(e.values[0], torch.tensor([1.0, 1.0, 0.0]).double(), atol=0.05)


def test_intervals_of_sobol_indices_hold_the_truth_at_least_as_often_as_they_say():
    """Points of a Sobol sequence lie evenly, so bootstrap errors are rather too large."""
    shares, n = [], 8
    for which in range(6):
        payoff = game(n, which)
        every = payoff(SaltelliDesign(seed=99).longer(n, 9 * 4096).rows(n, 0, 9 * 4096))[:, 0].reshape(-1, n + 1)
        truth = total_index(every, torch.full((1, 4096), 1 / 4096).double())[0]
        for seed in range(10):
            e = pl.explain(payoff, payoff.everyone, 0, sobol(budget=9 * 64, imputer=0.0, seed=seed, batch=256))
            assert e.error is not None
            shares.append(covered(e.values[0], e.error[0], truth))
    assert sum(shares) / len(shares) >= 0.93


def test_a_payoff_that_never_changes_has_no_indices():
    e = pl.explain(lambda z: torch.ones(len(z), 1), torch.ones(1, 4), 0, sobol(imputer=0.0))
    assert not e.values.any() and e.error is not None and not e.error.any()


def test_cells_fade_by_shares(rng: torch.Generator):
    asked: list[Tensor] = []

    def net(z: Tensor) -> Tensor:
        asked.append(z)
        return z.sum((1, 2, 3))[:, None]

    e = pl.explain(net, torch.ones(1, 3, 8, 8), 0, sobol(grid=2, budget=40, imputer=0.0, batch=40))
    shares = max(asked, key=len)
    assert ((shares > 0.01) & (shares < 0.99)).float().mean() > 0.5
    assert all(len(variant.unique()) <= 4 for variant in shares) and e.shared and not e.signed


# -- HSIC ---------------------------------------------------------------------------------------------------------------------


def hsic_by_loops(present: Tensor, y: Tensor) -> Tensor:
    """The sum over four kernels, centred by the definition: three sums over pairs, triples and quadruples, written as means."""
    N, n = present.shape
    apart = [abs(float(a - b)) for a, b in combinations(y, 2)]
    s = float(torch.tensor(apart, dtype=torch.float64).median())
    L = torch.tensor([[float(torch.exp(-((a - b) ** 2) / (2 * s**2))) for b in y] for a in y], dtype=torch.float64)
    H = torch.eye(N).double() - 1 / N
    values = []
    for i in range(n):
        K = torch.tensor([[float(a == b) for b in present[:, i]] for a in present[:, i]], dtype=torch.float64)
        values.append(float(((H @ K @ H) * (H @ L @ H)).sum()) / N**2)
    return torch.tensor(values, dtype=torch.float64)


def test_hsic_is_the_sum_over_two_centred_kernels():
    payoff = game(5, 0)
    rows = QuasiBernoulli(40, seed=2).rows(5, 0, 40).double()
    expected = hsic_by_loops(rows, payoff(rows)[:, 0])
    found = pl.explain(payoff, payoff.everyone, 0, hsic(budget=40, imputer=0.0, seed=2)).values[0]
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_hsic_ranks_the_weights_of_a_linear_payoff():
    payoff = linear(WEIGHTS)
    e = pl.explain(payoff, payoff.everyone, 0, hsic(budget=2000, imputer=0.0, batch=256))
    assert not e.signed
    order = torch.tensor(WEIGHTS).abs().argsort()
    assert torch.equal(e.values[0].argsort()[3:], order[3:]), "those that are not about zero"


def test_hsic_sees_what_changes_no_mean():
    """The sign of the answer turns with the first region, its size does not."""

    def payoff(z: Tensor) -> Tensor:
        return (torch.where(z[:, 0] > 0.5, 3.0, 1.0) * (2 * z[:, 1] - 1))[:, None]

    e = pl.explain(payoff, torch.ones(1, 4), 0, hsic(budget=512, imputer=0.0))
    assert e.values[0, 0] > 10 * e.values[0, 2:].max()


def test_intervals_of_hsic_hold_the_truth_as_often_as_they_say():
    """With random rows; with those of a Sobol sequence, which lie evenly, they hold it more often."""
    shares, even, z = [], [], coalitions(9)
    for seed in range(60):
        payoff = game(9, seed)
        truth = dependence(z, payoff(z)[:, 0])[0]
        for design, found in ((Bernoulli(400, seed=seed), shares), (QuasiBernoulli(400, seed=seed), even)):
            rows = design.rows(9, 0, 400)
            found.append(covered(*dependence(rows.double(), payoff(rows)[:, 0]), truth))
    assert 0.88 <= sum(shares) / len(shares) <= 0.97
    assert sum(even) / len(even) >= 0.95


def test_hsic_does_not_change_when_a_constant_is_added():
    payoff = game(6, 1)
    one, other = (pl.explain(lambda z, c=c: payoff(z) + c, payoff.everyone, 0, hsic(imputer=0.0)).values for c in (0.0, 1000.0))
    assert torch.allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("answer", ["never", "seldom"])
def test_answers_that_hardly_change_do_no_harm(answer: str):
    def payoff(z: Tensor) -> Tensor:
        return (z.sum(1) == (-1 if answer == "never" else 6)).double()[:, None]

    e = pl.explain(payoff, torch.ones(1, 6), 0, hsic(imputer=0.0))
    assert e.values.isfinite().all() and bool(e.values.any()) == (answer == "seldom")


def test_large_runs_are_read_in_pieces():
    payoff = game(6, 0)
    rows = Bernoulli(2500).rows(6, 0, 2500).double()
    whole = dependence(rows, payoff(rows)[:, 0])[0]
    assert off(dependence(rows[:1000], payoff(rows[:1000])[:, 0])[0], whole) < 0.2


# -- rows that serve, and rows that do not ------------------------------------------------------------------------------------


def test_random_rows_serve_hsic_and_those_of_hsic_serve_others():
    payoff = game(8, 0)
    run = hsic(budget=1000, imputer=0.0).sample(payoff, payoff.everyone, 0)
    assert off(run.fit("banzhaf").values, payoff.banzhaf()) < 0.1
    with pytest.raises(pl.MethodError, match=r"Sobol indices from these responses.*one region changed"):
        run.fit("sobol")


def test_coalitions_do_not_serve_hsic_nor_shares_the_others():
    payoff = game(8, 0)
    with pytest.raises(pl.MethodError, match=r"HSIC from these responses.*independently of one another"):
        kernel_shap(imputer=0.0).sample(payoff, payoff.everyone, 0).fit("hsic")
    with pytest.raises(pl.MethodError, match=r"LIME from these responses.*rows of SaltelliDesign"):
        sobol(imputer=0.0).sample(payoff, payoff.everyone, 0).fit("lime")


@pytest.mark.parametrize("make", [sobol, hsic])
def test_pictures_tables_and_signals_have_regions_of_their_own(make: Any):
    for shape, regions in (((1, 3, 16, 16), 64), ((1, 9), 9), ((1, 2, 30), 8), ((1, 3, 4, 20), 32)):
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        run = make(budget=200, imputer=0.0).sample(lambda z: z.flatten(1).sum(1, keepdim=True), x, 0)
        assert run.study.regions.n == regions


def test_a_network_is_explained(rng: torch.Generator):
    case = CASE["plain"]
    for method in (sobol(grid=3, budget=60), hsic(grid=3, budget=60)):
        e = pl.explain(case.net(), case.inputs(), 1, method)
        assert e.values.shape == case.inputs().shape and e.values.isfinite().all() and float(e.values.min()) >= 0
