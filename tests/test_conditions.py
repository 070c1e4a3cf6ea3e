"""Conditions: only what passes through chosen channels and places of a layer is carried on; the rest is booked."""

from __future__ import annotations

from functools import cache, partial

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.methods import conditional_relevance
from pellucid.tape import find, path, record, rewrite
from pellucid.tape.axes.layout import axes_of
from pellucid.tape.seed import find_output
from pellucid.tape.stack import stack
from pellucid.target.condition import Axes, Condition
from pellucid.target.conditioning import Conditioning
from tests.cases import CASE, CASES, Case, contained, difference, each_case
from tests.reference import lrp_twins as twins
from tests.reference.crp_twin import conditional

LINEAR = ["lrp.epsilon", "lrp.epsilon_plus", "lrp.epsilon_alpha2_beta1_flat", "lrp.epsilon_gamma_box", "deep_taylor"]
SHARING = "lrp"  # hands on what biases keep in proportion to what each condition itself got


@cache
def middle(case: Case) -> tuple[str, int]:
    """A layer half-way with channels to choose from, and how many."""
    tape = rewrite(record(case.net(torch.float64), case.inputs(torch.float64)))
    ran = [name for name, ids in tape.returned.items() if name and axes_of(tape, ids[-1], name).channel is not None]
    reached = {i for op in path(tape, (find_output(tape),)) for i in (*op.outs, *op.inner)}
    named = [name for name in ran if tape.returned[name][-1] in reached]
    name = named[len(named) // 2]
    axes = axes_of(tape, tape.returned[name][-1], name)
    return name, axes.shape[axes.channel]


def ask(case: Case, method: str, only, *, samples: slice = slice(None), at: str | None = None) -> pl.Explanation:
    x = case.inputs(torch.float64)[samples]
    return pl.explain(case.net(torch.float64), x, target=case.target, method=method, at=at or middle(case)[0], only=only)


def halves(case: Case) -> tuple[list[int], list[int]]:
    count = middle(case)[1]
    return list(range(0, count, 2)), list(range(1, count, 2))


# -- laws over all networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lrp.epsilon_plus", "lrp.epsilon_gamma_box", "gradient_x_input"])
@each_case
def test_what_passes_through_parts_sums_to_what_passes_through_the_whole(case: Case, method: str):
    a, b = halves(case)
    parts = [ask(case, method, pl.channels(one)).values for one in (a, b)]
    whole = ask(case, method, pl.channels(a + b)).values
    assert difference(parts[0] + parts[1], whole) <= 1e-9
    assert float(whole.abs().sum()) > 0


@each_case
def test_rules_that_share_what_they_keep_add_up_in_sums_and_not_in_places(case: Case):
    a, b = halves(case)
    parts = [ask(case, SHARING, pl.channels(one)) for one in (a, b)]
    whole = ask(case, SHARING, pl.channels(a + b))
    kept = sum(part.ledger.input + sum(row.amount for row in after(part.ledger)) for part in parts)
    there = whole.ledger.input + sum(row.amount for row in after(whole.ledger))
    assert torch.allclose(kept, there, rtol=1e-9, atol=1e-9 * float(whole.ledger.volume.max()))


def after(ledger: pl.Ledger):
    """The bookings made beyond the condition."""
    last = max(n for n, row in enumerate(ledger.rows) if row.cause.startswith("other "))
    return ledger.rows[last + 1 :]


@pytest.mark.parametrize("method", [*LINEAR[1:4], SHARING])
@each_case
def test_the_ledger_of_a_condition_closes(case: Case, method: str):
    ledger = ask(case, method, [pl.channels(0), ~pl.channels(0)]).ledger
    assert len(ledger.seed) == 2 * len(case.inputs())
    assert (ledger.error.abs() <= 1e-10 * ledger.volume).all()
    assert "other channels" in ledger.by_cause()


@pytest.mark.parametrize("method", ["lrp.epsilon_plus", SHARING, "gradient_x_input"])
@each_case
def test_many_conditions_at_once_are_what_each_is_alone(case: Case, method: str):
    asked = [pl.channels(0), pl.channels(middle(case)[1] - 1), ~pl.channels(0)]
    together = ask(case, method, asked, samples=slice(1))
    for place, one in enumerate(asked):
        alone = ask(case, method, one, samples=slice(1))
        assert difference(together.values[place : place + 1], alone.values) <= 1e-9
        if alone.ledger is not None:
            assert torch.allclose(together.ledger.input[place], alone.ledger.input[0])
            assert torch.allclose(together.ledger.absorbed[place], alone.ledger.absorbed[0])
    assert together.through == tuple(f"{one} of {middle(case)[0]}" for one in asked)


@each_case
def test_a_sample_of_a_batch_is_told_as_if_it_were_alone(case: Case):
    asked = [pl.channels(0), ~pl.channels(0)]
    whole = ask(case, "lrp.epsilon_plus", asked)
    alone = ask(case, "lrp.epsilon_plus", asked, samples=slice(1, 2))
    assert difference(whole.values[2:4], alone.values) <= 1e-9  # rows of one sample lie together


@pytest.mark.parametrize("container", ["scripted", "traced", "exported"])
@pytest.mark.parametrize("name", ["plain", "residual", "attending"])
def test_programs_give_the_same_maps_as_the_network_they_were_made_from(name: str, container: str):
    case = CASE[name]
    layers = {"plain": "features.5", "residual": "blocks.1.conv2", "attending": "embed"}
    at = layers[name] if layers[name] in dict(case.net().named_modules()) else parameterised(case)
    only, x = pl.channels([0, 2]), case.inputs(torch.float64)
    program = contained(container, case, torch.float64)
    found = pl.explain(program, x, target=case.target, method="lrp.epsilon_plus", at=at, only=only)
    eager = pl.explain(case.net(torch.float64), x, target=case.target, method="lrp.epsilon_plus", at=at, only=only)
    assert difference(found.values, eager.values) <= 1e-9


@each_case
def test_an_exported_program_knows_the_layers_of_the_network_it_was_made_from(case: Case):
    net, x = case.net(torch.float64), case.inputs(torch.float64)
    ours, theirs = record(net, x), record(pl.load(contained("exported", case, torch.float64)), x)
    own = {name for name, ids in ours.returned.items() if name and ours.values[ids[-1]].producer is not None}
    idle = {name for name, module in net.named_modules() if isinstance(module, nn.Identity)}  # nothing runs in them
    assert own - idle <= set(theirs.returned)
    for name in own - idle:
        if len(ours.returned[name]) == 1:
            assert torch.allclose(ours.value(ours.returned[name][0]), theirs.value(theirs.returned[name][0]), atol=1e-12), name
    assert [op.module for op in ours.ops] == [op.module for op in theirs.ops]


def test_in_an_exported_program_a_block_is_as_good_an_address_as_in_the_network():
    case = CASE["residual"]
    only, x = pl.channels([1, 2, 3]), case.inputs(torch.float64)
    maps = [
        pl.explain(model, x, target=case.target, at="blocks.0", only=only).values
        for model in (case.net(torch.float64), contained("exported", case, torch.float64))
    ]
    assert difference(*maps) <= 1e-9 and float(maps[0].abs().sum()) > 0


def parameterised(case: Case) -> str:
    """A convolution or dense layer half-way."""
    named = [n for n, m in case.net().named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return named[len(named) // 2]


# -- whole maps -----------------------------------------------------------------------------------------------------------


def chain() -> nn.Sequential:
    rng = torch.Generator().manual_seed(5)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(27, 6), nn.ReLU(), nn.Linear(6, 3),
    )  # fmt: skip
    for parameter in net.parameters():
        parameter.data.normal_(0, 0.4, generator=rng)
    return net.double().eval()


RULES = {
    "epsilon": (pl.lrp.Epsilon(1e-6), twins.epsilon),
    "z-plus": (pl.lrp.ZPlus(1e-6), twins.zplus),
    "gamma": (pl.lrp.Gamma(0.25), twins.gamma),
    "gamma without biases": (pl.lrp.Gamma(0.25, bias="ignore"), partial(twins.gamma, bias="ignore")),
    "spread": (
        pl.lrp.Epsilon(0.01, bias="spread", silent="spread"),
        partial(twins.epsilon, eps=0.01, bias="spread", silent="spread"),
    ),
}
# name -> what users ask, and the same as masks by the number of a layer
ASKED: dict[str, tuple[dict[str, Condition], dict[int, Tensor]]] = {
    "channels of a map": ({"1": pl.channels([0, 3])}, {1: torch.tensor([1.0, 0, 0, 1]).view(1, 4, 1, 1)}),
    "before its rectifier": ({"2": pl.channels(1)}, {2: torch.tensor([0.0, 1, 0]).view(1, 3, 1, 1)}),
    "neurons": ({"6": pl.channels([1, 2, 5])}, {6: torch.tensor([0.0, 1, 1, 0, 0, 1])}),
    "a place": ({"3": pl.positions([(1, 2)])}, {3: torch.eye(9)[5].view(1, 1, 3, 3)}),
    "an area": ({"3": pl.area(0, 1, 2, 3)}, {3: torch.tensor([[0.0, 1, 1], [0, 1, 1], [0, 0, 0]])}),
    "a channel within an area": (
        {"3": pl.channels(2) & pl.area(0, 0, 3, 1)},
        {3: torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1) * torch.tensor([1.0, 0, 0])},
    ),
    "all but a channel": ({"1": ~pl.channels(2)}, {1: torch.tensor([1.0, 1, 0, 1]).view(1, 4, 1, 1)}),
    "one layer after another": (
        {"1": pl.channels([0, 1]), "6": pl.channels([0, 5])},
        {1: torch.tensor([1.0, 1, 0, 0]).view(1, 4, 1, 1), 6: torch.tensor([1.0, 0, 0, 0, 0, 1])},
    ),
    "others for each sample": (
        {"1": pl.channels([[0], [1, 2]])},
        {1: torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 0]]).view(2, 4, 1, 1)},
    ),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("rule", RULES)
def test_a_map_is_that_of_a_dense_walk_masked_by_hand(rule: str, asked: str):
    net, x = chain(), torch.randn(2, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    ours, twin = RULES[rule]
    method = pl.lrp.EpsilonEverywhere().where(op=("convolution", "dense"), rule=ours)
    only, masks = ASKED[asked]
    e = pl.explain(net, x, target=2, method=method, only=only)
    with torch.no_grad():
        expected = conditional(net, x, 2, twin, masks)
    assert difference(e.values, expected) <= 1e-9
    assert float(expected.abs().sum()) > 0


def test_gradient_through_channels_is_the_chain_rule_through_them():
    net, x = chain(), torch.randn(1, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    x.requires_grad_(True)
    inner = net[:2](x)
    passed = torch.zeros_like(inner).index_fill(1, torch.tensor([1, 2]), 1.0)
    score = net[2:](inner * passed + (inner * (1 - passed)).detach())[:, 1]
    (expected,) = torch.autograd.grad(score.sum(), x)
    e = pl.explain(net, x, target=1, method="gradient", at="1", only=pl.channels([1, 2]))
    assert difference(e.values, expected) <= 1e-12


def test_tokens_count_their_channels_on_the_last_axis_and_heads_are_blocks_of_them():
    case = CASE["attending"]
    tape = record(case.net(torch.float64), case.inputs(torch.float64))
    name = next(name for name, ids in tape.returned.items() if name and len(tape.values[ids[-1]].shape) == 3)
    width = tape.values[tape.returned[name][-1]].shape[-1]
    first = ask(case, "lrp.epsilon_plus", pl.channels(range(width // 2)), at=name)
    head = ask(case, "lrp.epsilon_plus", pl.heads(0, of=2), at=name)
    assert difference(first.values, head.values) == 0
    tokens = [ask(case, "lrp.epsilon_plus", pl.positions(n), at=name).values for n in range(5)]
    whole = ask(case, "lrp.epsilon_plus", pl.channels(range(width)), at=name)
    assert difference(sum(tokens), whole.values) <= 1e-9


def test_what_goes_past_a_layer_is_booked_and_not_carried():
    case = CASE["residual"]
    e = ask(
        case,
        "lrp.epsilon_plus",
        pl.channels(range(10)),
        at="blocks.1.conv1" if has(case, "blocks.1.conv1") else parameterised(case),
    )
    assert "elsewhere" in e.ledger.by_cause()  # the shortcut beside that convolution
    plain = pl.explain(case.net(torch.float64), case.inputs(torch.float64), target=case.target, method="lrp.epsilon_plus")
    assert difference(e.values, plain.values) > 1e-2


def has(case: Case, path: str) -> bool:
    return path in dict(case.net().named_modules())


def test_with_an_address_of_its_own_a_condition_leaves_at_its_meaning():
    net, x = chain(), torch.ones(1, 2, 5, 5, dtype=torch.float64)
    inside = pl.explain(net, x, target=1, method="lrp.epsilon", at="1", only={"6": pl.channels([1, 2])})
    below = pl.explain(net, x, target=1, method="lrp.epsilon", only={"6": pl.channels([1, 2])})
    assert inside.values.shape == (1, 4, 5, 5) and inside.at == "1" and below.at is None
    assert below.values.shape == x.shape


def test_methods_are_compared_through_the_same_channels_and_those_that_cannot_say_so():
    net, x = chain(), torch.ones(1, 2, 5, 5, dtype=torch.float64)
    c = pl.compare(net, x, ["lrp.epsilon", "gradient_x_input", "occlusion"], 1, at="3", only=pl.channels(1))
    assert set(c.explanations) == {"lrp.epsilon", "gradient_x_input"} and "carries nothing back" in str(c.failures["occlusion"])
    assert all(e.through == ("channel 1 of 3",) for e in c.explanations.values())


def test_an_operation_is_an_address_as_good_as_a_module():
    net, x = chain(), torch.ones(1, 2, 5, 5, dtype=torch.float64)
    second = pl.Where(op="relu", position=1)
    maps = [pl.explain(net, x, target=1, method="lrp.epsilon", at=at, only=pl.channels(1)).values for at in ("3", second)]
    assert difference(*maps) == 0


def test_nothing_of_the_model_or_the_input_changes():
    net, x = chain(), torch.ones(1, 2, 5, 5, dtype=torch.float64)
    before, given = {name: t.clone() for name, t in net.state_dict().items()}, x.clone()
    pl.explain(net, x, target=1, at="1", only=[pl.channels(n) for n in range(4)])
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items()) and torch.equal(x, given)
    assert not any(p.grad is not None or not p.requires_grad for p in net.parameters())


def test_contrasts_are_the_difference_of_their_maps():
    net, x = chain(), torch.ones(1, 2, 5, 5, dtype=torch.float64)
    ask = partial(pl.explain, net, x, method="lrp", at="3", only=[pl.channels(0), pl.channels([1, 2])])
    both = ask(target=pl.logit(0) - pl.logit(2))
    assert difference(both.values, ask(target=0).values - ask(target=2).values) <= 1e-9
    assert (both.ledger.error.abs() <= 1e-10 * both.ledger.volume).all()


# -- one recording, many walks --------------------------------------------------------------------------------------------


@each_case
def test_one_recording_serves_all_conditions(case: Case, monkeypatch):
    calls = []
    net = case.net(torch.float64)
    counted = nn.Module.__call__
    monkeypatch.setattr(type(net), "__call__", lambda self, *a, **k: (calls.append(1), counted(self, *a, **k))[1])
    at, count = middle(case)
    pl.explain(net, case.inputs(torch.float64)[:1], target=case.target, at=at, only=[pl.channels(n % count) for n in range(8)])
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["plain", "residual", "mobile", "efficient", "concatenated", "dense"])
def test_conditions_on_one_sample_of_a_convolutional_network_are_walked_together(name: str):
    case = CASE[name]
    tape = rewrite(record(case.net(), case.inputs()[:1]))
    start = conditional_relevance.layer_masks(tape, Conditioning(((middle(case)[0], pl.channels(0)),)))[0].place
    assert stack(tape, conditional_relevance.ops_between(tape, start, tape.inputs[0]), 4) is not None


@pytest.mark.parametrize("room", [1.0, 1e4, 1e12])
def test_how_many_are_walked_together_is_no_matter(room: float, monkeypatch):
    asked = [pl.channels(n) for n in range(5)]
    expected = ask(CASE["plain"], "lrp", asked, samples=slice(1)).values
    monkeypatch.setattr(conditional_relevance, "ROOM", room)
    assert difference(ask(CASE["plain"], "lrp", asked, samples=slice(1)).values, expected) <= 1e-9


# -- what is said ---------------------------------------------------------------------------------------------------------


def test_a_conditional_explanation_says_what_it_is_and_comes_back_from_its_file(tmp_path):
    case = CASE["plain"]
    e = ask(case, "lrp.epsilon_plus", [pl.channels(0), pl.channels([1, 2])], samples=slice(1))
    assert e.headline(1).endswith(f", through channels 1 and 2 of {middle(case)[0]}")
    assert "other channels" in e.sentence()
    assert pl.Explanation.load(e.save(tmp_path / "e.safetensors")).through == e.through


def test_little_through_a_channel_is_no_warning_as_long_as_it_arrives():
    case = CASE["plain"]
    e = ask(case, "lrp", pl.channels(0), samples=slice(1))
    assert abs(float(e.ledger.input[0])) < 0.5 * abs(float(e.ledger.seed[0]))
    assert not any("of the score" in words for words in e.warnings())


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"only": pl.channels(1)}, "no layer"),
        ({"at": "3", "only": pl.channels(99)}, "channels run 0-2"),
        ({"at": "3", "only": pl.positions([(0, 9)])}, "one index per axis"),
        ({"at": "3", "only": pl.area(2, 2, 1, 1)}, "at least one place"),
        ({"at": "6", "only": pl.area(0, 0, 1, 1)}, "map of rows and columns"),
        ({"at": "3", "only": pl.heads(0, of=2)}, "do not divide"),
        ({"at": "3", "only": pl.heads(7, of=3)}, "heads run 0-2"),
        ({"at": "3", "only": pl.channels(0, axis=7)}, "no such axis"),
        ({"at": "3", "only": pl.channels(0, axis=0)}, "channel axis is not known"),
        ({"at": "3", "only": pl.channels([[0], [1]])}, "each sample has one"),
        ({"at": "3", "only": []}, "no map to make"),
        ({"at": "3", "only": "channel 3"}, "pl.channels([17, 33])"),
        ({"only": {"nowhere": pl.channels(0)}}, "pl.record"),
        ({"at": "3", "only": pl.channels(0), "method": "occlusion"}, "carried"),
        ({"at": "3", "only": pl.channels(0), "method": "integrated_gradients"}, "carried"),
        ({"only": {"0": pl.channels(0)}, "target": pl.channel("1", 0), "at": "2"}, "input"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(options, part):
    net, x = chain(), torch.ones(1, 2, 5, 5, dtype=torch.float64)
    if options.get("at") == "2":  # a layer after the target: no relevance reaches it
        options, part = {"only": {"6": pl.channels(0)}, "target": pl.channel("1", 0)}, "no relevance"
    with pytest.raises(pl.PellucidError) as caught:
        pl.explain(net, x, **({"target": 1} | options))
    assert part in str(caught.value)
    assert all(getattr(caught.value, name) for name in ("asked", "found", "why", "do"))


@pytest.mark.parametrize("wrong", [[], [1.5], ["17"], [True], None, [[1], []]])
def test_channels_are_whole_numbers(wrong):
    with pytest.raises(pl.InputError):
        pl.channels(wrong)


def test_layers_beside_one_another_have_no_way_through_both():
    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.head = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(torch.relu(self.a(x)) + torch.relu(self.b(x)))

    with pytest.raises(pl.MethodError, match="parallel branches"):
        pl.explain(Beside().eval(), torch.ones(1, 3), target=0, only={"a": pl.channels(0), "b": pl.channels(1)})


def test_conditions_take_numbers_from_tensors_and_count_from_the_end():
    axes = Axes("layer", (2, 4), 0, 1)
    assert pl.channels(torch.tensor([1, 3])) == pl.channels([1, 3])
    assert pl.channels(-1).mask(axes).tolist() == [[False, False, False, True]]


def test_where_a_value_lies_is_told_from_the_tape():
    for case in CASES:
        tape = rewrite(record(case.net(), case.inputs()))
        name, count = middle(case)
        axes = axes_of(tape, find(tape, name), name)
        assert axes.batch in (None, 0, 1) and axes.channel != axes.batch and axes.shape[axes.channel] == count
