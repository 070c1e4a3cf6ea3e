"""Composites: which rule where, by order of entries and of execution; what happens where there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods import lrp
from pellucid.methods.lrp import Composite, Rule, Shares
from pellucid.tape import LocalOp
from tests.cases import CASE, RELEVANCE, Case, each_case, expected

LINEAR = ("convolution", "dense")


@dataclass(frozen=True)
class Spy(Rule):
    """Gradient times input, and a note of where it was asked."""

    name: str = "spy"
    seen: list[tuple[str, str]] = field(default_factory=list, compare=False)

    def share(self, op: LocalOp, R: Tensor, rectified: bool) -> Shares:
        self.seen.append((self.name, op.op.place))
        return lrp.Epsilon().share(op, R, rectified)


class Unordered(nn.Module):
    """Modules registered in another order than they run; one that runs first and leads nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 5)
        self.late, self.early, self.aside = nn.Conv2d(4, 4, 3), nn.Conv2d(3, 4, 3), nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        aside = self.aside(x)
        y = F.relu(self.late(F.relu(self.early(x))))
        return {"out": self.head(y.mean((2, 3))), "aside": aside.mean((2, 3))}


@pytest.fixture
def unordered() -> nn.Module:
    torch.manual_seed(0)
    return Unordered().double().eval()


@pytest.fixture
def x(rng: torch.Generator) -> Tensor:
    return torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=rng)


def places(net: Any, x: Tensor, composite: Composite, *spies: Spy, **options: Any) -> list[tuple[str, str]]:
    """Which spy was asked where, from the output to the input."""
    pl.explain(net, x, **{"target": 1, **options}, method=composite)
    return [seen for spy in spies for seen in spy.seen]


# -- order ----------------------------------------------------------------------------------------------------------------


def test_the_first_entry_that_matches_decides(unordered: nn.Module, x: Tensor):
    a, b, c = Spy("a"), Spy("b"), Spy("c")
    composite = Composite(((pl.Where("late"), a), (pl.Where(op="convolution"), b), (pl.Where(op=LINEAR), c)))
    assert places(unordered, x, composite, a, b, c) == [
        ("a", "convolution in late"), ("b", "convolution in early"), ("c", "addmm in head"),
    ]  # fmt: skip


def test_where_puts_an_entry_before_all_others_and_changes_nothing(unordered: nn.Module, x: Tensor):
    a, b = Spy("a"), Spy("b")
    one = Composite(((pl.Where(op=LINEAR), b),))
    two = one.where("early", op="convolution", rule=a)
    assert len(one.entries) == 1 and len(two.entries) == 2
    assert places(unordered, x, two, a) == [("a", "convolution in early")]
    assert "convolution in early" in str(two).splitlines()[0] and "Spy" in str(two)


def test_first_is_the_first_that_ran_on_the_path_and_not_the_first_registered(unordered: nn.Module, x: Tensor):
    spy, rest = Spy("first"), Spy("rest")
    composite = Composite(((pl.Where(op="convolution", position="first"), spy), (pl.Where(op=LINEAR), rest)))
    assert places(unordered, x, composite, spy) == [("first", "convolution in early")]


def test_what_is_on_the_path_depends_on_the_target(unordered: nn.Module, x: Tensor):
    spy, rest = Spy("first"), Spy("rest")
    composite = Composite(((pl.Where(op="convolution", position="first"), spy), (pl.Where(op=LINEAR), rest)))
    target = pl.channel("aside", 1)
    assert places(unordered, x, composite, spy, target=target) == [("first", "convolution in aside")]


@pytest.mark.parametrize(
    ("position", "place"), [("first", "early"), ("last", "head"), (0, "early"), (1, "late"), (-1, "head"), (-2, "late")]
)
def test_positions_count_in_the_order_of_execution(unordered: nn.Module, x: Tensor, position: str | int, place: str):
    spy, rest = Spy(), Spy()
    composite = Composite(((pl.Where(op=LINEAR, position=position), spy), (pl.Where(op=LINEAR), rest)))
    assert [where.split(" in ")[1] for _, where in places(unordered, x, composite, spy)] == [place]


@pytest.mark.parametrize("position", [3, -4])
def test_a_position_beyond_what_ran_matches_nothing(unordered: nn.Module, x: Tensor, position: int):
    spy = Spy()
    composite = Composite(((pl.Where(op=LINEAR), lrp.Epsilon()),)).where(op=LINEAR, position=position, rule=spy)
    with pytest.raises(pl.PellucidError):
        places(unordered, x, composite, spy)


@pytest.mark.parametrize(
    "name", ["lrp.epsilon_plus_flat", "lrp.epsilon_alpha2_beta1_flat", "lrp.epsilon_gamma_box", "deep_taylor"]
)
def test_presets_for_the_first_layer_mean_the_first_that_ran(unordered: nn.Module, x: Tensor, name: str):
    preset = pl.catalogue.method(name)
    first = next(rule for where, rule in preset.entries if where.position == "first")
    by_name = Composite(tuple(entry for entry in preset.entries if entry[0].position is None), name).where(
        "early", op="convolution", rule=first
    )
    assert torch.equal(*(pl.explain(unordered, x, target=1, method=method).values for method in (preset, by_name)))


def test_a_module_used_twice_takes_its_rule_twice():
    case, spy = CASE["functional"], Spy()
    composite = lrp.EpsilonPlus().where("twice", op="convolution", rule=spy)
    assert places(case.net(), case.inputs(), composite, spy) == [("spy", "convolution in twice")] * 2


def test_an_address_covers_all_that_is_inside_a_module():
    case, spy = CASE["residual"], Spy()
    places(case.net(), case.inputs(), lrp.EpsilonPlus().where("blocks.1", op="convolution", rule=spy), spy)
    assert {where for _, where in spy.seen} == {f"convolution in blocks.1.{part}.0" for part in ("first", "second", "skip")}


def test_a_module_alone_leaves_views_and_activations_inside_it_to_their_own_rules(unordered: nn.Module, x: Tensor):
    by_module = lrp.EpsilonPlus().where("late", rule=lrp.Gamma(0.5))
    by_both = lrp.EpsilonPlus().where("late", op="convolution", rule=lrp.Gamma(0.5))
    assert torch.equal(*(pl.explain(unordered, x, target=1, method=method).values for method in (by_module, by_both)))


@each_case
def test_the_same_composite_written_by_hand_is_the_preset(case: Case):
    composite = Composite(((pl.Where(op="convolution"), lrp.ZPlus()), (pl.Where(op="dense"), lrp.Epsilon())))
    found = pl.explain(case.net(), case.inputs(), target=case.target, method=composite).values
    assert torch.equal(found, expected(case, "lrp.epsilon_plus").values)


def test_a_rule_of_ones_own_is_a_rule(unordered: nn.Module, x: Tensor):
    spy = Spy()
    found = pl.explain(unordered, x, target=1, method=Composite(((pl.Where(op=LINEAR), spy),)))
    assert torch.equal(found.values, pl.explain(unordered, x, target=1, method="lrp.epsilon").values)
    assert found.ledger.error.abs().max() <= 1e-10 * found.ledger.volume.max()


def test_composites_are_values():
    assert lrp.EpsilonPlus() == lrp.EpsilonPlus()
    assert lrp.EpsilonPlus(eps=1e-3) != lrp.EpsilonPlus()
    assert hash(lrp.EpsilonPlus()) == hash(lrp.EpsilonPlus())


@pytest.mark.parametrize("name", RELEVANCE)
def test_every_preset_prints_one_line_per_entry(name: str):
    preset = pl.catalogue.method(name)
    assert preset.name == name
    assert len(str(preset).splitlines()) == len(preset.entries)


# -- where there is no rule -----------------------------------------------------------------------------------------------


class Warping(nn.Module):
    """A spatial transformer: grid sampling has no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.warp, self.head = nn.Conv2d(3, 4, 3), Warp(), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.warp(F.relu(self.body(x))).mean((2, 3)))


class Warp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        grid = torch.stack(torch.meshgrid(*[torch.linspace(-0.9, 0.9, 5, dtype=x.dtype)] * 2, indexing="ij"), -1)
        return F.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=False)


@pytest.fixture
def warping() -> nn.Module:
    torch.manual_seed(0)
    return Warping().double().eval()


@pytest.mark.parametrize("name", RELEVANCE)
def test_strict_refuses_by_name_and_module_and_says_what_to_do(warping: nn.Module, x: Tensor, name: str):
    with pytest.raises(pl.NoRule) as caught:
        pl.explain(warping, x, target=1, method=name, strict=True)
    error = caught.value
    assert all((error.asked, error.found, error.why, error.do))
    message = str(error)
    assert "a rule for grid_sampler_2d" in message and "grid_sampler_2d in warp" in message
    assert 'composite.where(op="grid_sampler_2d", rule=pl.lrp.' in message and "CONTRIBUTING.md" in message


@pytest.mark.parametrize("name", RELEVANCE)
def test_otherwise_the_derivative_is_taken_and_booked_and_said(warping: nn.Module, x: Tensor, name: str):
    e = pl.explain(warping, x, target=1, method=name)
    rows = [row for row in e.ledger.rows if row.cause == "native fallback"]
    assert [(row.where, row.op) for row in rows] == [("warp", "grid_sampler_2d")]
    assert "No rule is known for grid_sampler_2d in warp: the plain derivative was used there." in e.caption()
    assert any("grid_sampler_2d in warp" in warning for warning in e.warnings())
    assert (e.ledger.error.abs() <= 1e-10 * e.ledger.volume).all() and e.values.isfinite().all()


def test_what_the_message_says_to_do_works(warping: nn.Module, x: Tensor):
    for rule in (lrp.Route(), lrp.Pass()):
        composite = lrp.EpsilonPlus().where(op="grid_sampler_2d", rule=rule)
        try:
            e = pl.explain(warping, x, target=1, method=composite, strict=True)
        except RuntimeError:
            assert rule == lrp.Pass(), "shapes differ: only Route can"
            continue
        assert "native fallback" not in e.ledger.by_cause()


def test_the_rule_that_the_message_names_is_one_that_can(warping: nn.Module, x: Tensor):
    import re

    with pytest.raises(pl.NoRule) as caught:
        pl.explain(warping, x, target=1, strict=True)
    (named,) = re.findall(r"rule=pl\.lrp\.(\w+)\(\)", str(caught.value))
    composite = lrp.EpsilonPlus().where(op="grid_sampler_2d", rule=getattr(lrp, named)())
    assert pl.explain(warping, x, target=1, method=composite, strict=True).values.isfinite().all()


def test_strict_may_be_part_of_the_composite(warping: nn.Module, x: Tensor):
    from dataclasses import replace

    with pytest.raises(pl.NoRule):
        pl.explain(warping, x, target=1, method=replace(lrp.EpsilonPlus(), strict=True))
    with pytest.raises(pl.NoRule):
        pl.explain(warping, x, target=1, method=replace(lrp.Auto(), strict=True))


def test_strict_does_not_mind_what_is_not_on_the_path(x: Tensor):
    class Aside(Warping):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            y = F.relu(self.body(x))
            return {"out": self.head(y.mean((2, 3))), "aside": self.warp(y)}

    assert pl.explain(Aside().double().eval(), x, target=1, strict=True).values.isfinite().all()


def test_linear_operations_without_an_entry_have_no_rule(unordered: nn.Module, x: Tensor):
    """Lookup is strict: an operation that mixes never takes a rule that nobody gave it."""
    composite = Composite(((pl.Where(op="dense"), lrp.Epsilon()),))
    with pytest.raises(pl.NoRule, match="convolution in late"):
        pl.explain(unordered, x, target=1, method=composite, strict=True)
    e = pl.explain(unordered, x, target=1, method=composite)
    assert {row.where for row in e.ledger.rows if row.cause == "native fallback"} == {"late", "early"}


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        ("activation", lrp.Gamma()),
        ("route", lrp.Epsilon()),
        ("max", lrp.ZPlus()),
        ("activation", lrp.ZBox(0, 1)),
        ("norm", lrp.WSquare()),
    ],
    ids=str,
)
def test_a_rule_for_a_kind_it_cannot_take_is_refused(op: str, rule: Rule):
    case = CASE["residual"]
    composite = lrp.EpsilonPlus().where(op=op, rule=rule)
    if op == "norm":
        case = CASE["normed"]
    with pytest.raises(pl.MethodError) as caught:
        pl.explain(case.net(), case.inputs(), target=1, method=composite)
    assert type(rule).__name__ in str(caught.value)


# -- options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "preset", [lrp.EpsilonEverywhere, lrp.GammaEverywhere, lrp.EpsilonPlus, lrp.EpsilonAlpha2Beta1], ids=lambda p: p.__name__
)
@pytest.mark.parametrize("name", ["plain", "volume", "segmenting"])
def test_with_biases_and_silent_units_spread_all_relevance_arrives(preset: Any, name: str):
    """These networks have no sums or means of silent units, whose stabiliser keeps what was spread over them."""
    case = CASE[name]
    e = pl.explain(
        case.net(torch.float64), case.inputs(torch.float64), target=case.target, method=preset(bias="spread", silent="spread")
    )
    assert torch.allclose(e.ledger.input, e.ledger.seed, rtol=1e-4)
    assert "bias" not in e.ledger.by_cause()


def test_without_biases_nothing_is_booked_as_bias():
    for bias in ("ignore", "spread"):
        e = pl.explain(CASE["plain"].net(), CASE["plain"].inputs(), target=1, method=lrp.EpsilonPlus(bias=bias))
        assert "bias" not in e.ledger.by_cause()
    assert "bias" in expected(CASE["plain"], "lrp.epsilon_plus").ledger.by_cause()


def test_the_box_is_that_of_the_preprocessing_where_it_is_known():
    case = CASE["plain"]
    known = pl.load(case.net(), preprocess=pl.Preprocess((16, 16), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5)))
    low, high = (-2.5, -1.6, -0.6), (2.5, 2.4, 1.4)
    x = case.inputs().clamp(-0.5, 0.5)
    found = pl.explain(known, x, target=1, method="lrp.epsilon_gamma_box").values
    assert torch.allclose(
        found, pl.explain(case.net(), x, target=1, method=lrp.EpsilonGammaBox(low, high)).values, rtol=1e-4, atol=1e-6
    )
    assert not torch.allclose(found, pl.explain(case.net(), x, target=1, method="lrp.epsilon_gamma_box").values, rtol=1e-2)


def test_without_preprocessing_the_range_of_each_sample_is_its_box_and_it_is_said():
    case = CASE["plain"]
    e = pl.explain(case.net(), case.inputs()[:1], target=1, method="lrp.epsilon_gamma_box")
    low, high = float(case.inputs()[0].min()), float(case.inputs()[0].max())
    by_hand = pl.explain(case.net(), case.inputs()[:1], target=1, method=lrp.EpsilonGammaBox(low, high))
    assert torch.allclose(e.values, by_hand.values)
    assert "The preprocessing is not known" in e.caption() and "preprocessing" not in by_hand.caption()


def test_lrp_alone_says_what_it_chose():
    e = expected(CASE["residual"], "lrp")
    assert "`lrp` chose lrp.conserving because it found convolutions and no attention." in e.caption()
    assert "`lrp` chose lrp.cp because it found attention over 5 positions" in expected(CASE["attending"], "lrp").caption()
    assert e.method == "lrp"


@pytest.mark.parametrize(("alpha", "beta"), [(2, 0.5), (1, 1), (0.5, -0.5), (-1, -2)])
def test_alpha_beta_must_conserve(alpha: float, beta: float):
    with pytest.raises(ValueError, match="alpha - beta = 1"):
        lrp.AlphaBeta(alpha, beta)


@pytest.mark.parametrize("name", ["lrp.epsilom", "epsilon_plus", "LRP", "gradients"])
def test_a_method_that_does_not_exist_names_the_nearest_three(name: str):
    with pytest.raises(pl.MethodError) as caught:
        pl.explain(CASE["dense"].net(), CASE["dense"].inputs(), target=1, method=name)
    assert str(caught.value).count(", ") >= 2 and "Nearest: " in str(caught.value)


def test_a_factory_stands_for_what_it_makes():
    net, x = CASE["dense"].net(), CASE["dense"].inputs()
    made, named = (pl.explain(net, x, target=1, method=method) for method in (lrp.EpsilonPlus(), lrp.EpsilonPlus))
    assert torch.equal(made.values, named.values)


@pytest.mark.parametrize("method", [None, 3, lrp.Epsilon()], ids=["none", "a number", "a rule"])
def test_what_is_no_method_is_told_what_is(method: Any):
    with pytest.raises(pl.MethodError) as caught:
        pl.explain(CASE["dense"].net(), CASE["dense"].inputs(), target=1, method=method)
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))


# -- books by hand --------------------------------------------------------------------------------------------------------


def test_the_books_of_a_small_network_are_those_of_pen_and_paper():
    net = nn.Linear(2, 1).double().eval()
    net.weight.data, net.bias.data = torch.tensor([[2.0, -1.0]]).double(), torch.tensor([3.0]).double()
    e = pl.explain(net, torch.tensor([[1.0, 1.0]]).double(), target=0, method=lrp.EpsilonEverywhere(eps=1.0))
    # z = 2 - 1 + 3 = 4, over 4 + 1: inputs 8/5 and -4/5, the bias 12/5, the stabiliser 4/5
    assert e.values.tolist() == [[pytest.approx(1.6), pytest.approx(-0.8)]]
    assert {cause: float(amount) for cause, amount in e.ledger.by_cause().items()} == pytest.approx(
        {"bias": 2.4, "stabiliser": 0.8}
    )
    assert e.ledger.sentence() == "explained 0.80 of 4.00; 3.20 was lost on the way (bias 2.40, stabiliser 0.80)"


def test_a_residual_sum_shares_in_proportion():
    e = pl.explain(lambda x: x * 3 + x, torch.tensor([[2.0, 0.0]]), target=0, method="lrp.zero")
    assert e.values.tolist() == [[8.0, 0.0]]
    both = pl.explain(lambda x: x[:, :1] * 3 + x[:, 1:], torch.tensor([[1.0, -1.0]]), target=0, method="lrp.zero")
    assert both.values.tolist() == [[3.0, -1.0]]


def test_the_winner_of_a_maximum_takes_all():
    e = pl.explain(lambda x: F.max_pool1d(x[:, None], 3)[:, 0], torch.tensor([[1.0, 5.0, 2.0]]), target=0, method="lrp.epsilon")
    assert e.values.tolist() == [[0.0, 5.0, 0.0]]


def test_a_gate_takes_nothing():
    e = pl.explain(lambda x: x[:, :2] * x[:, 2:].sigmoid(), torch.tensor([[2.0, 3.0, 1.0, 1.0]]), target=1, method="lrp.epsilon")
    assert e.values[0, 1] == e.output[0] and not e.values[0, [0, 2, 3]].any()


def test_a_constant_that_is_added_keeps_its_share_and_it_is_booked():
    e = pl.explain(lambda x: x + 3.0, torch.tensor([[1.0, 2.0]]), target=0, method="lrp.epsilon")
    assert e.values[0].tolist() == pytest.approx([1.0, 0.0], rel=1e-5)
    assert float(e.ledger.by_cause()["constant operand"]) == pytest.approx(3.0, rel=1e-5)
