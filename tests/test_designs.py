"""Designs: rows that are the same in whatever pieces they are asked for, and drawn by the law they say."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.methods.perturb.hsic import QuasiBernoulli
from pellucid.methods.perturb.sampling.coalitions import Coalitions, ShapleyKernel, combination, pairs_by_size
from pellucid.methods.perturb.sampling.design import Bernoulli, Design, OneOut, pack_bits, unpack_bits
from pellucid.methods.perturb.shapley import Permutations
from pellucid.methods.perturb.sobol import SaltelliDesign

MAKE: dict[str, Callable[[int], Design]] = {  # by budget
    "bernoulli": lambda budget: Bernoulli(budget),
    "paired": lambda budget: Bernoulli(budget, 0.3, paired=True),
    "coalitions": lambda budget: Coalitions(budget),
    "kernel": lambda budget: ShapleyKernel(budget),
    "permutations": lambda budget: Permutations(budget),
    "single orders": lambda budget: Permutations(budget, antithetic=False),
    "sobol": lambda budget: SaltelliDesign(budget),
    "halves": lambda budget: QuasiBernoulli(budget),
}
each_design = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
N = 9


def rows(design: Design, n: int = N) -> Tensor:
    return design.rows(n, 0, design.count(n))


@each_design
def test_rows_are_the_same_in_whatever_pieces_they_are_asked_for(make: Callable[[int], Design]):
    design = make(120)
    whole = rows(design)
    for step in (1, 7, 64):
        pieces = [design.rows(N, i, min(i + step, len(whole))) for i in range(0, len(whole), step)]
        assert torch.equal(torch.cat(pieces), whole)
    assert torch.equal(make(120).rows(N, 30, 50), whole[30:50])


@each_design
@pytest.mark.parametrize("n", [3, N, 40])
def test_a_larger_budget_keeps_the_rows_of_a_smaller_one(make: Callable[[int], Design], n: int):
    design = make(400)
    short = rows(design, n)
    longer = design.longer(n, 3000)
    assert longer.count(n) > design.count(n) or design.count(n) == 2**n - 2
    assert torch.equal(longer.rows(n, 0, len(short)), short)
    assert longer.longer(n, 10).count(n) == longer.count(n), "nothing is taken back"


@each_design
def test_another_seed_gives_other_rows(make: Callable[[int], Design]):
    design = make(120)
    other = type(design)(**{**vars(design), "seed": 1})
    assert not torch.equal(rows(design), rows(other))


@each_design
def test_rows_do_not_touch_the_random_numbers_of_others(make: Callable[[int], Design]):
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    rows(make(120))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]


@pytest.mark.parametrize("name", ["bernoulli", "paired", "kernel", "halves"])
@pytest.mark.parametrize("n", [2, 5, 12])
def test_sizes_come_as_often_as_the_law_says(name: str, n: int):
    design = MAKE[name](4000)
    law = design.law(n)
    assert law is not None and float(law.exp().sum()) == pytest.approx(1)
    found = torch.bincount(rows(design, n).sum(1), minlength=n + 1) / 4000
    assert (found - law.exp()).abs().max() < 0.03


@pytest.mark.parametrize("name", ["coalitions", "permutations", "single orders"])
def test_all_sizes_come_equally_often(name: str):
    design = MAKE[name](4000)
    law = design.law(41)
    assert law is not None and float(law.exp().sum()) == pytest.approx(1)
    found = torch.bincount(rows(design, 41).sum(1), minlength=42)[3:39]
    assert int(found.max() - found.min()) <= 2


def test_no_design_of_other_rows_claims_a_law():
    assert OneOut().law(5) is None and SaltelliDesign().law(5) is None


def test_every_region_is_left_out_once():
    assert torch.equal(OneOut().rows(4, 1, 3), torch.tensor([[True, False, True, True], [True, True, False, True]]))


@pytest.mark.parametrize("n", [2, 5, 6, 9, 49, 150])
def test_coalitions_come_with_their_complement_and_never_twice(n: int):
    found = rows(Coalitions(max(2 * n, 600)), n)
    assert torch.equal(found[0::2], ~found[1::2])
    assert len(found.unique(dim=0)) == len(found) == min(max(2 * n, 600), 2**n - 2)
    sizes = found.sum(1)
    assert int(sizes.min()) == 1 and int(sizes.max()) == n - 1


def test_sizes_of_coalitions_take_turns():
    sizes = rows(Coalitions(2 * 24 * 8), 49)[0::2].sum(1).reshape(8, 24)
    assert torch.equal(sizes.sort(1).values, torch.arange(1, 25).expand(8, 24))
    assert len(sizes.unique(dim=0)) == 8, "each time in another order"


def test_of_a_size_every_region_comes_as_often_as_any_other():
    counts = torch.zeros(6)
    for seed in range(200):
        found = Coalitions(20, seed).rows(6, 0, 20)
        counts += found[found.sum(1) == 3].float().mean(0)
    assert (counts / 200 - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("n", [5, 8])
def test_there_are_as_many_coalitions_as_counted_and_no_more(n: int):
    assert 2 * sum(pairs_by_size(n)) == 2**n - 2
    assert len({tuple(combination(i, n, 3)) for i in range(math.comb(n, 3))}) == math.comb(n, 3)


def test_a_thousand_regions_do_not_overflow():
    found = Coalitions(4000).rows(1000, 3000, 3004)
    assert torch.equal(found[0], ~found[1]) and found.any(1).all()
    weights = Coalitions(4000).law(1000)
    assert weights is not None and weights[1:-1].isfinite().all()


def test_a_region_enters_with_every_row_of_an_order_and_next_they_come_in_reverse():
    n, design = 7, Permutations(60)
    walks = rows(design, n).reshape(-1, n - 1, n)
    assert len(walks) == 10 and torch.equal(walks.sum(2), torch.arange(1, n).expand(10, n - 1))
    assert (walks[:, 1:] >= walks[:, :-1]).all(), "nobody leaves"
    assert torch.equal(walks[1::2], ~walks[0::2].flip(1)), "who came last comes first"


def test_where_all_coalitions_fit_orders_are_not_walked():
    assert rows(Permutations(62), 5).unique(dim=0).shape == (30, 5)
    assert Permutations(62).complete(5) and not Permutations(29).complete(5)


def test_a_row_of_shares_comes_again_with_one_changed():
    n = 6
    found = rows(SaltelliDesign(7 * 16), n).reshape(16, n + 1, n)
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    changed = found[:, 1:] != found[:, :1]
    assert torch.equal(changed, torch.eye(n, dtype=torch.bool).expand(16, n, n))


@pytest.mark.parametrize("n", [4, 49])
def test_halves_are_halves(n: int):
    found = rows(QuasiBernoulli(512), n).double()
    assert torch.allclose(found.mean(0), torch.full((n,), 0.5).double(), atol=0.01)
    together = torch.corrcoef(found.T) - torch.eye(n)
    assert float(together.abs().max()) < 0.5, "no two regions always come together"


def test_rows_are_packed_eight_regions_to_a_byte(rng: torch.Generator):
    given = torch.rand(11, 21, generator=rng) < 0.5
    assert pack_bits(given).shape == (11, 3) and torch.equal(unpack_bits(pack_bits(given), 21), given)


# -- budgets that do not reach ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, n, message",
    [
        (lambda: Coalitions(60), 49, "a budget of 60 forward passes for 49 regions; at least 98 are needed"),
        (lambda: Coalitions(), 12_288, "a budget of 20,000 forward passes for 12,288 regions; at least 24,576 are needed"),
        (lambda: ShapleyKernel(20), 49, "20 forward passes for 49 regions"),
        (lambda: Permutations(90), 49, "90 forward passes for 49 regions; at least 96 are needed"),
        (lambda: SaltelliDesign(99), 49, "99 forward passes for 49 regions; at least 100 are needed"),
        (lambda: SaltelliDesign(), 20_000, "Sobol sequences have 21,201 dimensions"),
        (lambda: Bernoulli(0), 4, "a budget of 0 forward passes; at least 2 are needed"),
        (lambda: Bernoulli(10, p=1.0), 4, "then all rows are the same"),
        (lambda: Permutations(100, 3), 4, "budget=100"),
        (lambda: Permutations(permutations=0), 4, "is at least 1"),
    ],
)
def test_a_budget_that_does_not_reach_is_refused(make: Callable[[], Design], n: int, message: str):
    with pytest.raises(MethodError, match=message):
        make().count(n)


def test_the_usual_budget_is_ten_rows_per_region():
    assert Coalitions().count(49) == 490 and Coalitions().count(8) == 254 and Coalitions().count(5000) == 20_000
    assert Permutations().count(49) == 480 and SaltelliDesign().count(64) == 32 * 65


def test_one_region_needs_no_row():
    assert Coalitions().count(1) == 0 == Permutations().count(1)
