"""Infidelity beside a slow twin, in both units, and where it is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.errors import MethodError
from pellucid.metrics import Answer, Infidelity, Jitter, Question, Squares, question
from pellucid.target import as_target
from tests.reference import literature_twins as twin, metric_twins

CHANGES = (Squares(largest=0.5), Jitter(sigma=0.3), Squares(largest=0.5, value=0.2))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 3)).double().eval()


def drawn(n: int, seed: int) -> Tensor:
    return torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def asked(net: object, x: Tensor, target: object = 1) -> Question:
    return question(pl.load(net), x, as_target(target), floor=False, ceiling=False)


def linear(w: Tensor):
    return lambda x: (x * w).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("units", ["slope", "contribution"])
@pytest.mark.parametrize("change", CHANGES, ids=["squares", "jitter", "squares of 0.2"])
def test_infidelity_is_yehs(net, change, units):
    x, values, f = drawn(2, 0), drawn(2, 1), metric_twins.logit(net, 1)
    found = Infidelity(change, n=9, units=units).score(asked(net, x), Answer(values))
    expected = []
    for i in range(2):
        own = x[i : i + 1]
        drew = [change.drawn(own, [k], 0)[0] for k in range(9)]
        weights = drew if units == "slope" else [one / (own[0] - change.value) for one in drew]
        expected.append(twin.infidelity(f, own, values[i], drew, weights))
    assert found.values.tolist() == pytest.approx(expected, rel=1e-9)
    assert found.forwards == 18 and units in found.notes[0]


def test_a_linear_model_is_explained_without_error_in_the_right_units():
    x, w = drawn(2, 3), drawn(1, 4)
    made = asked(linear(w), x, lambda out: out[:, 0])
    for change in CHANGES[:2]:
        slope = Infidelity(change, n=20, units="slope").score(made, Answer(w.expand_as(x)))
        contribution = Infidelity(change, n=20).score(made, Answer(w * x))
        wrong = Infidelity(change, n=20).score(made, Answer(w.expand_as(x)))
        assert slope.values.max() < 1e-20 and contribution.values.max() < 1e-20 and wrong.values.min() > 1e-2


def test_a_square_that_is_gone_counts_with_its_whole_relevance():
    x = torch.full((1, 1, 4, 4), 2.0)
    change = Squares(largest=1.0)
    gone = change.drawn(x, range(30), 0) != 0
    assert {float(one.sum()) for one in gone} == {1.0, 4.0, 9.0, 16.0}  # squares, of every size
    said = Infidelity(change, n=30).predicted(asked(linear(torch.ones(())), x, lambda out: out[:, 0]), Answer(torch.ones_like(x)))
    assert said[0].tolist() == gone.flatten(1).sum(1).tolist()


def test_normalised_the_scale_of_a_map_does_not_matter(net):
    x, values = drawn(2, 0), drawn(2, 1)
    made = asked(net, x)
    metric = Infidelity(n=30, normalize=True)
    once, thousand = (metric.score(made, Answer(k * values)).values for k in (1, 1000))
    assert torch.allclose(once, thousand, rtol=1e-9)
    best = min(float(Infidelity(n=30).score(made, Answer(b / 500 * values)).values[0]) for b in range(-100, 101))
    assert float(once[0]) <= best + 1e-12 and best < float(once[0]) * 1.01
    nothing = metric.score(made, Answer(0 * values)).values
    assert torch.allclose(nothing, Infidelity(n=30).score(made, Answer(0 * values)).values)


def test_channels_that_share_a_value_count_once():
    x, w = drawn(1, 3), drawn(1, 4)
    made = asked(linear(w), x, lambda out: out[:, 0])
    shared = (w * x).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    assert Infidelity(n=20).score(made, Answer(shared, shared=True)).values[0] < 1e-20


def test_what_changes_do_is_asked_once_for_all_maps(net):
    made = asked(net, drawn(2, 0))
    first = Infidelity(n=15).score(made, Answer(drawn(2, 1)))
    second = Infidelity(n=15, units="slope", normalize=True).score(made, Answer(drawn(2, 2)))
    assert (first.forwards, second.forwards) == (30, 0)


def test_vectors_and_signals_are_changed_along_their_axis():
    for x in (drawn(2, 0)[:, 0, 0], drawn(2, 0)[:, :, 0]):
        w = torch.ones_like(x[0])
        made = asked(linear(w), x, lambda out: out[:, 0])
        assert Infidelity(n=10).score(made, Answer(x)).values.max() < 1e-20


def test_quantus_variant_removes_squares_one_after_the_other(net):
    x, values, f = drawn(2, 0), drawn(2, 1), metric_twins.logit(net, 1)
    found = Infidelity(compat="quantus-0.6").score(asked(net, x), Answer(values)).values.tolist()
    parts = metric_twins.squares(x, 2)  # a quarter of the side
    for i in range(2):
        own, errors = x[i : i + 1], []
        for k in range(1, 17):
            said = sum(twin.of_part(values[i] * own[0], part) for part in parts[:k])
            errors.append((f(own) - f(twin.without(own, parts, range(k))) - said) ** 2)
        assert found[i] == pytest.approx(sum(errors) / 16, rel=1e-9)


def test_called_off_there_is_no_score(net, monkeypatch):
    monkeypatch.setattr("pellucid.metrics.faithfulness.infidelity.batch_size", lambda x: 2)
    with watched(lambda done, total, what: what == "changed inputs"):
        found = Infidelity(n=4).score(asked(net, drawn(2, 0)), Answer(drawn(2, 1)))
    assert found.values.isnan().all() and found.forwards == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Infidelity(units="gradient"), "slope"),
        (lambda: Infidelity(n=0), "n=0"),
        (lambda: Infidelity(compat="captum"), "quantus-0.6"),
        (lambda: Squares(largest=0), "largest=0"),
        (lambda: Jitter(0), "no noise"),
    ],
)
def test_nonsense_is_refused_in_words(make, words):
    with pytest.raises(MethodError, match=words):
        make()
