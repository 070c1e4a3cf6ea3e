"""Robustness and stability: slow twins, linear models whose gradient never moves, attacks that find more than chance does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.errors import MethodError
from pellucid.explanation.attribution import Attribution
from pellucid.metrics import (
    Answer,
    AvgSensitivity,
    LocalLipschitz,
    MaxSensitivity,
    Neighbours,
    Question,
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
    question,
)
from pellucid.metrics.sensitivity.stability import last_but_one
from pellucid.target import as_target
from tests.reference import literature_twins as twin

SENSITIVITIES = (MaxSensitivity(), AvgSensitivity(), LocalLipschitz(), MaxSensitivity(rounds=2))
STABILITIES = (RelativeInputStability(), RelativeOutputStability(), RelativeRepresentationStability())
GRADIENT = pl.gradient.Gradient()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        made = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3))
    return made.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(2, 6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def asked(net: object, x: Tensor, target: object = 1) -> Question:
    return question(pl.load(net), x, as_target(target), floor=False, ceiling=False)


def answer(net: nn.Module, x: Tensor, method=GRADIENT, target: object = 1) -> Answer:
    return Answer(method.attribute(pl.load(net), x, as_target(target)).values, method.signed, False, method)


def gradient(net: nn.Module, target: int = 1):
    def explain(x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        return torch.autograd.grad(net(x)[0, target], x)[0]

    return explain


# beside the papers


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_sensitivity_and_lipschitz_are_those_of_the_papers(net, x, kind):
    near = Neighbours(n=6, radius=0.3, kind=kind)
    shifts = list(near.noise(x, 0)[:, 0])
    made, map_, explain = asked(net, x), answer(net, x), gradient(net)
    each = [x[i : i + 1] for i in range(2)]
    worst = [twin.max_sensitivity(explain, own, shifts) for own in each]
    mean = [sum(twin.max_sensitivity(explain, own, [one]) for one in shifts) / 6 for own in each]
    assert MaxSensitivity(near).score(made, map_).values.tolist() == pytest.approx(worst, rel=1e-9)
    assert AvgSensitivity(near).score(made, map_).values.tolist() == pytest.approx(mean, rel=1e-9)
    steep = [twin.lipschitz(explain, own, shifts) for own in each]
    assert LocalLipschitz(near).score(made, map_).values.tolist() == pytest.approx(steep, rel=1e-9)


def test_stabilities_are_those_of_agarwal(net, x):
    near = Neighbours(n=30, radius=0.6)
    shifts, explain = list(near.noise(x, 0)[:, 0]), gradient(net)
    made, map_ = asked(net, x), answer(net, x)

    def relative(a: Tensor, b: Tensor) -> float:
        return float(((a - b) / a).norm())

    distances = {
        RelativeInputStability(near): relative,
        RelativeOutputStability(near): lambda a, b: float((net(a) - net(b)).norm()),
        RelativeRepresentationStability(near): lambda a, b: relative(net[:3](a), net[:3](b)),
        RelativeRepresentationStability(near, at="1"): lambda a, b: relative(net[:2](a), net[:2](b)),
    }
    for metric, distance in distances.items():
        expected = []
        for own in (x[:1], x[1:]):
            kept = [bool(net(own + one).argmax() == net(own).argmax()) for one in shifts]
            same = dict(zip(map(id, shifts), kept, strict=True))
            chosen = [one for one in shifts if same[id(one)]]
            expected.append(twin.stability(explain, own, chosen, distance, lambda y: True))
        assert metric.score(made, map_).values.tolist() == pytest.approx(expected, rel=1e-9)
    moved = [[int(net(own + one).argmax() != net(own).argmax()) for one in shifts] for own in (x[:1], x[1:])]
    assert sum(map(sum, moved)) > 0  # some neighbours do not count


# what is known


@pytest.mark.parametrize("metric", (*SENSITIVITIES, *STABILITIES), ids=lambda m: type(m).__name__)
def test_the_gradient_of_a_linear_model_never_moves(metric):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        line = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3)).double().eval()
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert metric.score(asked(line, x), answer(line, x)).values.max() < 1e-12


def test_gradient_times_input_of_a_linear_model_moves_as_the_input_does():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        line, one = (nn.Linear(*sizes, bias=False).double().eval().requires_grad_(False) for sizes in ((6, 3), (1, 2)))
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    made, map_ = asked(line, x), answer(line, x, pl.gradient.GradientXInput())
    # entry by entry R(x) - R(y) over R(x) is x - y over x
    assert RelativeInputStability().score(made, map_).values.tolist() == pytest.approx([1, 1, 1])
    small = torch.tensor([[2.0]], dtype=torch.float64)
    steep = LocalLipschitz().score(asked(one, small), answer(one, small, pl.gradient.GradientXInput()))
    assert float(steep.values[0]) == pytest.approx(abs(float(one.weight[1, 0])))


def test_a_search_finds_more_than_chance_and_stays_within_the_radius(net, x):
    made, map_, near = asked(net, x), answer(net, x), Neighbours(n=8, radius=0.2)
    few, many = (MaxSensitivity(near, rounds=rounds).score(made, map_) for rounds in (0, 6))
    assert (many.values > 1.02 * few.values).all()
    assert many.forwards == 7 * few.forwards == 7 * 8 * 2 * 2
    seen: list[Tensor] = []
    MaxSensitivity(near, rounds=6).score(made, Answer(map_.values, method=Watching(seen)))
    assert max(float((one - own).abs().max()) for batch in seen for one, own in zip(batch, x.repeat(8, 1), strict=True)) <= 0.2001


@dataclass(frozen=True)
class Watching:
    """The gradient, and what it was asked."""

    seen: list[Tensor]
    name: ClassVar[str] = "watching"
    signed: ClassVar[bool] = True

    def attribute(self, model, x, target, at=None) -> Attribution:
        self.seen.append(x.clone())
        return GRADIENT.attribute(model, x, target)


def test_all_neighbours_are_explained_in_as_few_calls_as_can_be(net, x):
    for metric in (MaxSensitivity(), LocalLipschitz(), RelativeOutputStability()):
        seen: list[Tensor] = []
        metric.score(asked(net, x), Answer(answer(net, x).values, method=Watching(seen)))
        assert [len(one) for one in seen] == [20]


def test_a_map_of_zeros_moves_by_its_new_length(net, x):
    found = MaxSensitivity().score(asked(net, x), Answer(torch.zeros_like(x), method=GRADIENT)).values
    assert found.isfinite().all() and (found > 0).all()
    absolute = MaxSensitivity(relative=False).score(asked(net, x), Answer(torch.zeros_like(x), method=GRADIENT)).values
    assert torch.equal(found, absolute)


def test_where_every_neighbour_is_of_another_class_there_is_no_stability():
    def edge(x: Tensor) -> Tensor:
        return torch.stack([(x[:, 0] == 0).float() * 2, torch.ones(len(x))], 1) + 0 * x[:, :1]

    x = torch.zeros(1, 2)
    method = pl.perturb.feature_ablation()
    for metric in STABILITIES[:2]:
        assert metric.score(asked(edge, x), Answer(torch.ones(1, 2), method=method)).values.isnan().all()


def test_models_without_classes_have_neighbours_all_the_same(x):
    def smooth(x: Tensor) -> Tensor:
        return x.square().sum(1)

    made = asked(smooth, x, lambda out: out)
    map_ = Answer(2 * x, method=GRADIENT)
    assert RelativeInputStability().score(made, map_).values.tolist() == pytest.approx([1, 1])


def test_called_off_before_all_samples_are_explained_is_said(net, x, monkeypatch):
    monkeypatch.setattr("pellucid.metrics.sensitivity.reexplain.batch_size", lambda x: 1)
    with watched(lambda done, total, what: True), pytest.raises(MethodError, match="cancelled after 1 of 20"):
        MaxSensitivity().score(asked(net, x), answer(net, x))
    calls: list[int] = []
    with watched(lambda done, total, what: calls.append(done) or len(calls) == 6):
        found = MaxSensitivity().score(asked(net, x), answer(net, x))
    whole = MaxSensitivity(Neighbours(n=3)).score(asked(net, x), answer(net, x))
    assert torch.equal(found.values, whole.values)


def test_exported_programs_are_asked_in_their_own_batches(net, x):
    program = torch.export.export(net, (x,)).module()
    for metric in (MaxSensitivity(rounds=1), RelativeInputStability(), RelativeOutputStability()):
        found = metric.score(asked(program, x), answer(program, x)).values
        assert torch.allclose(found, metric.score(asked(net, x), answer(net, x)).values)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Neighbours(n=0), "n=0"),
        (lambda: Neighbours(radius=0), "radius=0"),
        (lambda: Neighbours(kind="cauchy"), "cauchy"),
        (lambda: MaxSensitivity(Neighbours(kind="normal"), rounds=3), "uniform"),
        (lambda: last_but_one(pl.load(lambda x: x)), r"at=\.\.\."),
    ],
)
def test_nonsense_is_refused_in_words(make, words):
    with pytest.raises(MethodError, match=words):
        make()
