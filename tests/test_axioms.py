"""Axioms: methods that have them by their definition, and methods that do not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.errors import MethodError
from pellucid.metrics import (
    Answer,
    Completeness,
    Every,
    ImplementationInvariance,
    InputInvariance,
    NonSensitivity,
    Question,
    Scheme,
    Tiles,
    question,
)
from pellucid.metrics.sensitivity.equivalent_models import Halves, shift_input, split_layers
from pellucid.target import as_target
from tests.cases import CASE
from tests.reference import literature_twins as twin, metric_twins


@pytest.fixture(scope="module")
def net() -> nn.Module:
    rng = torch.Generator().manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6 * 16, 4)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=rng))
    return net.requires_grad_(False)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(4))


def asked(net: object, x: Tensor, target: object = 1) -> Question:
    return question(pl.load(net), x, as_target(target), floor=False, ceiling=False)


def answer(made: Question, method) -> Answer:
    found = method.attribute(made.model, made.x, made.target)
    return Answer(found.values, method.signed, found.shared, method)


# completeness


def test_completeness_is_the_gap_relative_to_the_difference(net, x):
    values = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    made, zero, half = asked(net, x), torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)
    for value, empty in ((0.0, zero), (0.5, half), (None, None)):
        found = Completeness(value).score(made, Answer(values))
        for i in range(2):
            whole = metric_twins.logit(net, 1)(x[i : i + 1]) - (0 if empty is None else metric_twins.logit(net, 1)(empty))
            expected = abs(sum(values[i].double().flatten().tolist()) - whole) / abs(whole)
            assert float(found.values[i]) == pytest.approx(expected, rel=1e-5)
        assert found.forwards == (0 if value is None else 2)
    assert Completeness(0.5).score(made, Answer(values)).forwards == 0  # known


def test_integrated_gradients_are_complete_and_gradients_are_not(net, x):
    made = asked(net, x)
    assert Completeness().score(made, answer(made, pl.gradient.Integrated(256))).values.max() < 5e-3
    assert Completeness().score(made, answer(made, pl.gradient.Gradient())).values.min() > 1e-2


def test_relevance_is_compared_with_the_score_alone(x):
    plain = CASE["plain"].net()
    made = asked(plain, CASE["plain"].inputs())
    assert Completeness(None).score(made, answer(made, pl.catalogue.method("lrp"))).values.max() < 1e-3


def test_rounding_is_no_gap():
    x = torch.rand(4, 1000, generator=torch.Generator().manual_seed(0)) + 1e4
    made = asked(lambda x: x.double().sum(1), x, lambda out: out)
    assert Completeness().score(made, Answer(x)).values.tolist() == [0, 0, 0, 0]
    off = x.clone()
    off[1] *= 1.001
    assert Completeness().score(made, Answer(off)).values.tolist() == pytest.approx([0, 1e-3, 0, 0], rel=1e-2)


def test_where_the_score_does_not_change_a_map_that_is_not_empty_has_no_relative_gap():
    x = torch.arange(1.0, 11).reshape(2, 5)
    made = asked(lambda x: 0 * x.sum(1) + 2, x, lambda out: out)
    assert Completeness().score(made, Answer(x)).values.isnan().all()
    assert Completeness().score(made, Answer(0 * x)).values.tolist() == [0, 0]


def test_channels_that_share_a_value_count_once():
    x = torch.arange(1.0, 49).reshape(1, 3, 4, 4)
    made = asked(lambda x: x.flatten(1).sum(1), x, lambda out: out)
    shared = x.sum(1, keepdim=True).expand(-1, 3, -1, -1)
    assert float(Completeness().score(made, Answer(shared, shared=True)).values) == 0
    assert float(Completeness().score(made, Answer(shared)).values) == pytest.approx(2)


# non-sensitivity


def test_non_sensitivity_counts_parts_that_only_one_of_map_and_model_minds(net, x):
    values = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    values[0, :, :2] = 0  # four squares without relevance
    metric = NonSensitivity(scheme=Scheme(Tiles(2), 0.0, Every(1)))
    made, f, parts = asked(net, x), metric_twins.logit(net, 1), metric_twins.squares(x, 2)
    expected = []
    for i in range(2):
        own = x[i : i + 1]
        minded = [abs(f(own) - f(twin.without(own, parts, [k]))) > 1e-5 * abs(f(own)) for k in range(16)]
        expected.append(sum((twin.of_part(values[i], part) != 0) != one for part, one in zip(parts, minded, strict=True)))
    assert metric.score(made, Answer(values)).values.tolist() == expected
    assert expected[0] >= 4 and metric.score(made, Answer(1e6 * values)).values.tolist() == expected


def test_a_map_with_relevance_exactly_where_it_matters_has_none():
    w = torch.tensor([[1.0, 0.0, -2.0, 0.0]])
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    made = asked(lambda x: x @ w.T, x, lambda out: out[:, 0])
    for values, count in ((w * x, 0), (x, 2), (0 * x, 2), (torch.tensor([[0.0, 1.0, 0.0, 1.0]]), 4)):
        assert NonSensitivity().score(made, Answer(values)).values.tolist() == [count]
    assert NonSensitivity(eps=1.5, absolute=True).score(made, Answer(w * x)).values.tolist() == [0]  # 1 and 0 beside 6


# invariances


def test_gradients_do_not_mind_a_shift_and_gradient_times_input_does(net, x):
    made = asked(net, x)
    found = InputInvariance().score(made, answer(made, pl.gradient.Gradient()))
    assert found.values.tolist() == [0, 0] and found.notes == ()
    moved = InputInvariance(shift=0.5).score(made, answer(made, pl.gradient.GradientXInput())).values
    gradient = answer(made, pl.gradient.Gradient()).values
    expected = (0.5 * gradient).flatten(1).norm(dim=1) / (gradient * x).flatten(1).norm(dim=1)
    assert torch.allclose(moved.float(), expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    "first",
    [
        nn.Conv2d(3, 6, 3, padding=1),
        nn.Conv2d(3, 6, (3, 5), padding=(1, 2), bias=False),
        nn.Conv2d(3, 6, (2, 4), padding="same", dilation=(1, 2)),
        nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 6, 3, stride=2),
        nn.Conv2d(3, 6, 3, groups=3),
    ],
    ids=["padded", "uneven", "same", "reflected", "bare", "groups"],
)
def test_the_shift_goes_into_the_bias_of_the_first_layer(first, x):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first.reset_parameters()
    net = nn.Sequential(first, nn.Tanh(), nn.Conv2d(6, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    model, folded = shift_input(pl.load(net), x, 0.7)
    assert folded and torch.allclose(model(x + 0.7), net(x), atol=1e-5)


def test_where_there_is_no_first_layer_the_shift_is_subtracted_and_said(x):
    net = nn.Sequential(nn.Tanh(), nn.Flatten(), nn.Linear(192, 3)).eval()
    model, folded = shift_input(pl.load(net), x, 0.7)
    assert not folded and torch.allclose(model(x + 0.7), net(x), atol=1e-6)
    made = asked(net, x)
    found = InputInvariance(0.7).score(made, answer(made, pl.gradient.Gradient()))
    assert found.values.max() < 1e-5 and "subtracted before the model" in found.notes[0]
    dense = nn.Linear(4, 2).eval()
    model, folded = shift_input(pl.load(dense), torch.ones(1, 4), 2.0)
    assert folded and torch.allclose(model(torch.full((1, 4), 3.0)), dense(torch.ones(1, 4)), atol=1e-6)


def test_gradients_do_not_mind_how_a_function_is_computed_and_relevance_may(net, x):
    made = asked(net, x)
    for method in (pl.gradient.Gradient(), pl.gradient.Integrated(8), pl.gradient.GradientXInput()):
        assert ImplementationInvariance().score(made, answer(made, method)).values.tolist() == [0, 0]
    relevance = pl.catalogue.method("lrp.epsilon_alpha2_beta1")
    assert ImplementationInvariance().score(made, answer(made, relevance)).values.min() > 0.05


@pytest.mark.parametrize("case", ["plain", "residual", "mobile", "attending"])
def test_the_other_way_of_computing_is_the_same_function(case):
    net, x = CASE[case].net(), CASE[case].inputs()
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    model, number = split_layers(pl.load(net), 0)
    assert number > 0 and torch.allclose(model(x), net(x), atol=1e-4)
    assert any(isinstance(module, Halves) for module in model.module.modules())
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NonSensitivity(eps=0), "eps=0"),
        (lambda: InputInvariance().score(asked(lambda x: x, torch.ones(1, 2)), Answer(torch.ones(1, 2))), "only a module"),
        (
            lambda: ImplementationInvariance().score(asked(Scaled().eval(), torch.ones(1, 2)), Answer(torch.ones(1, 2))),
            "no dense",
        ),
    ],
)
def test_nonsense_is_refused_in_words(make, words):
    with pytest.raises(MethodError, match=words):
        make()


class Scaled(nn.Module):
    """Weights, but no layer of a known kind."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale
