"""What biases keep is handed to what agrees with it: by one amount per sample, and through rules and whole networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.tape import LocalOp, record, rewrite
from tests.reference import lrp_twins as twins
from tests.test_rules_twins import LAYERS, SIGNS, assert_same_map, expected, found

LEFT, RIGHT, BOTH, ONE_SIDED, CRUMB, NOTHING = (
    [0.5, -3.0, 0.0, 1.5],
    [-0.25, -4.0, 2.0, 0.0],
    [1.0, -1.0, 1.0, -1.0],
    [2.0, 0.0, 1.0, 3.0],
    [2.0, -1e-9, 1.0, 3.0],
    [0.0, 0.0, 0.0, 0.0],
)
GOT = torch.tensor([LEFT, RIGHT, BOTH, ONE_SIDED, CRUMB, NOTHING], dtype=torch.float64)
AMOUNTS = {
    "for": torch.full((6,), 2.5, dtype=torch.float64),
    "against": torch.full((6,), -2.5, dtype=torch.float64),
    "for some and against others": torch.tensor([3.0, -1.0, 0.0, -4.0, -2.0, -1.0], dtype=torch.float64),
}
each_amount = pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS.keys())


def local(samples: int, places: int = 1) -> LocalOp:
    """A dense layer that read four numbers per sample, at one place or several."""
    x = torch.ones(samples, 4) if places == 1 else torch.ones(samples, places, 4)
    tape = rewrite(record(pl.load(nn.Linear(4, 2)), x))
    return LocalOp(tape, next(op for op in tape.ops if op.kind == "dense"))


def handed(amount: Tensor, got: Tensor) -> tuple[Tensor, Tensor]:
    return local(len(got)).redistribute(amount, got.clone())


# -- one amount per sample ------------------------------------------------------------------------------------------------


@each_amount
def test_it_is_what_the_slow_twin_says(amount: Tensor):
    torch.testing.assert_close(handed(amount, GOT)[0], twins.shared(GOT, amount), rtol=1e-14, atol=0)


@each_amount
def test_nothing_is_lost_and_nothing_made(amount: Tensor):
    got, left = handed(amount, GOT)
    torch.testing.assert_close(got.sum(1) + left, GOT.sum(1) + amount, rtol=1e-14, atol=1e-14)
    assert left.tolist() == [0.0] * 5 + amount[5:].tolist()


@each_amount
def test_what_speaks_for_the_other_side_stays_as_it_is(amount: Tensor):
    got, _ = handed(amount, GOT)
    other = (GOT * amount[:, None] < 0)[:3]  # where there is something on both sides
    assert other[amount[:3] != 0].any(1).all() and torch.equal(got[:3][other], GOT[:3][other])


@each_amount
def test_it_takes_no_side(amount: Tensor):
    torch.testing.assert_close(handed(-amount, -GOT)[0], -handed(amount, GOT)[0], rtol=0, atol=0)
    torch.testing.assert_close(handed(3 * amount, 3 * GOT)[0], 3 * handed(amount, GOT)[0], rtol=1e-14, atol=0)


@each_amount
def test_a_sample_of_a_batch_gets_what_it_gets_alone(amount: Tensor):
    got, left = handed(amount, GOT)
    for n in range(len(GOT)):
        alone = handed(amount[n : n + 1], GOT[n : n + 1])
        torch.testing.assert_close((got[n : n + 1], left[n : n + 1]), alone, rtol=1e-14, atol=0)


def test_a_crumb_does_not_take_all():
    got, _ = handed(torch.tensor([-3.0], dtype=torch.float64), GOT[4:5])
    torch.testing.assert_close(got, GOT[4:5] / 2, rtol=1e-6, atol=1e-8)  # by size: a half of what each has


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shares_keep_their_precision_whatever_that_of_the_amount(dtype: torch.dtype, samples: int):
    got, left = handed(torch.full((samples,), 2.0, dtype=torch.float64), GOT[:samples].to(dtype))
    assert got.dtype == dtype and left.dtype == torch.float64
    assert float((got.sum(1) - GOT[:samples].sum(1) - 2).abs().max()) <= (1e-6 if dtype == torch.float32 else 0.05)


def test_all_places_of_a_sample_share_one_amount():
    got, _ = local(3, places=2).redistribute(AMOUNTS["for"][:3], GOT.view(3, 2, 4).clone())
    torch.testing.assert_close(got.flatten(1), twins.shared(GOT.view(3, 8), AMOUNTS["for"][:3]), rtol=1e-14, atol=0)


# -- through a rule, and a network ----------------------------------------------------------------------------------------

RULES: dict[str, tuple[Callable[..., Any], Callable[..., Tensor]]] = {
    "epsilon": (pl.lrp.Epsilon, twins.epsilon),
    "great epsilon": (partial(pl.lrp.Epsilon, eps=1.0), partial(twins.epsilon, eps=1.0)),
    "gamma": (pl.lrp.Gamma, twins.gamma),
    "z-plus": (pl.lrp.ZPlus, twins.zplus),
}


def sharing(rule: Callable[..., Tensor], m: twins.Matrix, x: Tensor, R: Tensor) -> Tensor:
    """The absorbing rule, and what it keeps handed out; units at exactly zero come last with gamma, which knows them apart."""
    got = rule(m, x, R)
    silent = R * ((x @ m.W.T + m.b == 0) if rule is twins.gamma else torch.zeros_like(R))
    got = twins.shared(got, R.sum(1) - silent.sum(1) - got.sum(1))
    return twins.shared(got, silent.sum(1))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_shares_gives_the_map_of_its_twin(rule: str, name: str, signs: str):
    fast, slow = RULES[rule]
    assert_same_map(found(name, signs, fast(bias="share", silent="share")), expected(name, signs, partial(sharing, slow)))


def test_an_input_that_speaks_against_a_class_is_not_turned_round_by_its_bias():
    net = nn.Linear(2, 1).eval()
    net.weight.data, net.bias.data = torch.tensor([[1.0, -0.5]]), torch.tensor([5.0])
    rule = pl.lrp.Composite(((pl.Where(op="dense"), pl.lrp.Epsilon(0.0, bias="share")),))
    torch.testing.assert_close(pl.explain(net, torch.ones(1, 2), target=0, method=rule).values, torch.tensor([[6.0, -0.5]]))
