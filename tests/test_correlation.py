"""Correlation of relevance with loss: the published numbers beside slow twins, and cases whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.statistics import pearson, spearman
from pellucid.errors import MethodError
from pellucid.methods.perturb.regions.division import Entries
from pellucid.metrics import Answer, Every, Question, Scheme, Shares, Tiles, question
from pellucid.metrics.faithfulness.correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityCorrelation,
    SensitivityN,
)
from pellucid.metrics.removal.experiment import experiment
from pellucid.metrics.removal.order import by_chance
from pellucid.target import as_target
from tests.reference import literature_twins as twin, metric_twins

SIDE, CLASS = 12, 1
SQUARES = Scheme(Tiles(3), 0.0, Every(1))
ALL = (FaithfulnessCorrelation(), FaithfulnessEstimate(reading="target"), SensitivityN(), MonotonicityCorrelation())


@pytest.fixture(scope="module")
def net() -> nn.Module:
    rng = torch.Generator().manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6 * 25, 4)).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            scale = 4 / parameter[0].numel() ** 0.5 if parameter.dim() > 1 else 0.3
            parameter.copy_(scale * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return net.requires_grad_(False)


def drawn(n: int, seed: int) -> Tensor:
    return torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def asked(net: object, x: Tensor, target: object = CLASS) -> Question:
    return question(pl.load(net), x, as_target(target), floor=False, ceiling=False)


def total(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1, keepdim=True)


# beside the papers


def test_faithfulness_correlation_is_bhatts(net):
    x, values = drawn(2, 4), drawn(2, 5)
    metric = FaithfulnessCorrelation(n=12, share=0.3, scheme=SQUARES)
    f, parts = metric_twins.logit(net, CLASS), metric_twins.squares(x, 3)
    subsets = [(by_chance(16, 0, metric.name, k) < 5).nonzero()[:, 0].tolist() for k in range(12)]
    expected = [twin.correlation(f, x[i : i + 1], values[i], parts, subsets) for i in range(2)]
    assert metric.score(asked(net, x), Answer(values)).values.tolist() == pytest.approx(expected, abs=1e-9)


def test_faithfulness_estimate_is_that_of_senn(net):
    x, values = drawn(2, 4), drawn(2, 5)
    metric = FaithfulnessEstimate(scheme=SQUARES)
    f, parts = metric_twins.probability(net, CLASS), metric_twins.squares(x, 3)
    expected = [twin.correlation(f, x[i : i + 1], values[i], parts, [[k] for k in range(16)]) for i in range(2)]
    assert metric.score(asked(net, x), Answer(values)).values.tolist() == pytest.approx(expected, abs=1e-9)


def test_sensitivity_n_is_anconas(net):
    x, values = drawn(2, 4), drawn(2, 5)
    metric = SensitivityN(n=10, scheme=Scheme(Tiles(3), 0.0, Shares((0.1, 0.5))))
    f, parts = metric_twins.logit(net, CLASS), metric_twins.squares(x, 3)
    curves = [
        [
            twin.correlation(
                f, x[i : i + 1], values[i], parts,
                [(by_chance(16, 0, metric.name, size, k) < size).nonzero()[:, 0].tolist() for k in range(10)],
            )
            for size in (2, 8)
        ]
        for i in range(2)
    ]  # fmt: skip
    sizes, found = metric.curve(asked(net, x), Answer(values))
    assert sizes == (2, 8) and found.tolist() == [pytest.approx(curve, abs=1e-9) for curve in curves]
    scores = metric.score(asked(net, x), Answer(values))
    assert scores.values.tolist() == pytest.approx([sum(curve) / 2 for curve in curves], abs=1e-9)
    assert 0 < scores.forwards <= 2 * 10 * 2


def test_monotonicity_correlation_is_nguyens(net):
    x, values = drawn(2, 4), drawn(2, 5)
    metric = MonotonicityCorrelation(n=3, regions=Tiles(3))
    made, f, parts = asked(net, x), metric_twins.logit(net, CLASS), metric_twins.squares(x, 3)
    found = metric.score(made, Answer(values)).values.tolist()
    studies = [made.memory[key] for key in made.memory if key[0] == "experiment"]
    assert len(studies) == 3
    for sample in range(2):
        own, effects = x[sample : sample + 1], [0.0] * 16
        for study in studies:
            z = study.fills[sample](torch.ones(1, 1, SIDE, SIDE, dtype=torch.bool), [0])
            assert (z.amin((2, 3)) >= own.amin((2, 3))).all() and (z.amax((2, 3)) <= own.amax((2, 3))).all()
            for k, part in enumerate(parts):
                changed = own.clone()
                for i, j in part:
                    changed[0, :, i, j] = z[0, :, i, j]
                effects[k] += (f(own) - f(changed)) ** 2 / f(own) ** 2
        sizes = [abs(twin.of_part(values[sample], part)) for part in parts]
        assert found[sample] == pytest.approx(twin.spearman(sizes, effects), abs=1e-9)


def test_correlations_are_those_of_the_textbook():
    a, b = torch.randn(2, 40, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    assert pearson(a, b) == pytest.approx(twin.pearson(a.tolist(), b.tolist()), abs=1e-12)
    assert spearman(a, b) == pytest.approx(twin.spearman(a.tolist(), b.tolist()), abs=1e-12)


# cases whose answer is known


@pytest.mark.parametrize("metric", ALL[:3], ids=lambda m: m.name)
def test_the_sum_of_x_is_explained_by_x_and_its_negative_is_its_opposite(metric):
    x = drawn(2, 6)
    made = asked(total, x, lambda out: out[:, 0])
    for sign in (1, -1):
        assert metric.score(made, Answer(sign * x)).values.tolist() == pytest.approx([sign, sign], abs=1e-6)


def test_the_size_of_x_has_the_order_of_its_effect_where_parts_are_scaled():
    w = torch.tensor([[0.1, -1.0, 10.0, -100.0, 1000.0]], dtype=torch.float64)
    x = torch.rand(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 1
    made = asked(lambda x: x @ w.T, x, lambda out: out[:, 0])
    metric = MonotonicityCorrelation(n=8, regions=Entries())
    assert metric.score(made, Answer(w.expand(3, -1))).values.tolist() == pytest.approx([1, 1, 1])
    assert metric.score(made, Answer(1 / w.expand(3, -1))).values.tolist() == pytest.approx([-1, -1, -1])


@pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
def test_where_nothing_varies_there_is_no_correlation(metric):
    x = drawn(1, 6)
    flat = asked(lambda x: 0 * total(x), x, lambda out: out[:, 0])
    assert metric.score(flat, Answer(x)).values.isnan().all()
    made = asked(total, x, lambda out: out[:, 0])
    assert metric.score(made, Answer(torch.full_like(x, 0.3))).values.isnan().all()


def test_metrics_that_take_the_same_parts_away_ask_once(net):
    x, values = drawn(1, 4), drawn(1, 5)
    made = asked(net, x)
    first = FaithfulnessEstimate(scheme=SQUARES).score(made, Answer(values)).forwards
    assert first == 16 and FaithfulnessEstimate(scheme=SQUARES, reading="target").score(made, Answer(-values)).forwards == 0
    assert SensitivityN(n=5, scheme=SQUARES).score(made, Answer(values)).forwards < 5 * 15  # single parts are known
    assert experiment(made, SQUARES).forwards > 16


def test_one_part_alone_has_no_correlation():
    made = asked(lambda x: x, torch.ones(2, 1), lambda out: out[:, 0])
    for metric in ALL:
        assert metric.score(made, Answer(torch.ones(2, 1))).values.isnan().all()


def test_quantus_variants_follow_its_formula(net):
    x, values = drawn(3, 4), drawn(3, 5)
    scheme = Scheme(Tiles(3), 0.0, Every(4))
    found = SensitivityN(scheme=scheme, compat="quantus-0.6").score(asked(net, x), Answer(values))
    f, parts, steps = metric_twins.logit(net, CLASS), metric_twins.squares(x, 3), []
    orders = [sorted(range(16), key=lambda k, v=v: -twin.of_part(v, parts[k])) for v in values]
    for step in range(4):
        lost = [f(x[i : i + 1]) - f(twin.without(x[i : i + 1], parts, orders[i][: 4 * step + 4])) for i in range(3)]
        said = [sum(twin.of_part(values[i], parts[k]) for k in orders[i][4 * step : 4 * step + 4]) for i in range(3)]
        steps.append(twin.pearson(said, lost))
    assert found.values.tolist() == pytest.approx([sum(steps) / 4] * 3, abs=1e-9)
    assert "across samples" in found.notes[0]
    alone = SensitivityN(scheme=scheme, compat="quantus-0.6").score(asked(net, x[:1]), Answer(values[:1]))
    assert math.isnan(alone.values[0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FaithfulnessCorrelation(n=1), "fewer than 2"),
        (lambda: FaithfulnessCorrelation(share=1.0), "share=1.0"),
        (lambda: SensitivityN(compat="quantus-0.5"), "quantus-0.6"),
        (lambda: MonotonicityCorrelation(n=0), "n=0"),
    ],
)
def test_nonsense_is_refused_in_words(make, words):
    with pytest.raises(MethodError, match=words):
        make()
