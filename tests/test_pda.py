"""Prediction difference analysis: against Algorithm 1 written out slowly, and against what can be worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.progress import watched
from pellucid.core.random import normal
from pellucid.errors import InputError, MethodError
from pellucid.methods.perturb import conditional_gaussian, marginal, noise
from pellucid.methods.perturb.coarse_to_fine import Refined
from pellucid.methods.perturb.imputers.conditional_gaussian import ConditionalGaussian, shipped
from pellucid.methods.perturb.imputers.draws import draw_generator
from pellucid.methods.perturb.imputers.statistics import measured
from pellucid.methods.perturb.pda import WeightOfEvidence, pda
from tests.reference import pda_twin as twin

SIDE, CLASSES = 14, 4


def network(shape: tuple[int, ...] = (3, SIDE, SIDE), outputs: int = CLASSES, last: nn.Module | None = None) -> nn.Module:
    width = math.prod(shape)
    net = nn.Sequential(nn.Flatten(), nn.Linear(width, 24), nn.ReLU(), nn.Linear(24, outputs), *([last] if last else [])).eval()
    rng = torch.Generator().manual_seed(100)
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=rng) * (2 / p.shape[-1]) ** 0.5
    return net


def picture(seed: int = 0, batch: int = 1, shape: tuple[int, ...] = (3, SIDE, SIDE)) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed))


def explained(net: nn.Module, x: Tensor, target: Any = 1, **options: Any) -> pl.Explanation:
    options = {"window": 4, "stride": 3, "samples": 4, "accelerate": "off", **options}
    return pl.explain(net, x, target=target, method=pda(**options))


# -- the published algorithm ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted() -> ConditionalGaussian:
    """A sampler with another covariance in every channel."""
    rng = torch.Generator().manual_seed(9)
    data = torch.randn(12, 3, 20, 20, generator=rng, dtype=torch.float64)
    smooth = torch.stack([nn.functional.avg_pool2d(data[:, c], 2 * c + 1, 1, c) * (c + 1) for c in range(3)], 1)
    return ConditionalGaussian(measured(smooth, reach=9), margin=2)


def numbers_of(fitted: ConditionalGaussian, window: int) -> twin.Patches:
    known = fitted.statistics
    table, middle = known.covariance.numpy(), known.reach
    return twin.Patches(
        lambda c, dy, dx: float(table[c, c, middle[0] + dy, middle[1] + dx]),
        lambda c: float(known.mean[c]), lambda c: float(known.low[c]), lambda c: float(known.high[c]),
        lambda draw: normal((3, window * window), draw_generator(fitted.seed, draw)).numpy(),
    )  # fmt: skip


@pytest.mark.parametrize(("colour", "stride"), [("each", 3), ("first", 4)])
def test_it_is_the_published_algorithm(fitted: ConditionalGaussian, colour: str, stride: int):
    net, x, window = network().double(), picture().double(), 4
    sampler = ConditionalGaussian(fitted.statistics, 2, colour)
    patches = numbers_of(fitted, window)

    def predict(sample: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(sample)[None]).softmax(1)[0].numpy()

    expected = twin.analysed(
        predict, x[0].numpy(), 1,
        lambda top, left, s: twin.conditional(x[0].numpy(), patches, top, left, window, window + 4, s, colour == "first"),
        window, stride, samples=3,
    )  # fmt: skip
    e = explained(net, x, stride=stride, samples=3, sampler=sampler)
    np.testing.assert_allclose(e.values[0, 0].numpy(), expected, rtol=0, atol=1e-9)
    assert e.shared and torch.equal(e.values[0, 0], e.values[0, 2])


def test_compat_is_stride_1_with_the_first_channels_law_and_the_first_pictures():
    net, x = network(), picture()
    strict = pl.explain(net, x, 1, pda(window=4, samples=2, compat="zintgraf2017"))
    plain = pl.explain(net, x, 1, pda(window=4, stride=1, samples=2, colour="first"))
    assert torch.equal(strict.values, plain.values) and strict.forwards == 11 * 11 * 2 + 1
    assert not torch.equal(plain.values, pl.explain(net, x, 1, pda(window=4, stride=1, samples=2)).values)
    others = picture(seed=5, batch=6)
    first = pl.explain(net, x, 1, pda(window=4, stride=1, samples=2, sampler=marginal(others[:2], shuffle=False)))
    drawn = pl.explain(net, x, 1, pda(window=4, samples=2, sampler=marginal(others), compat="zintgraf2017"))
    assert torch.equal(first.values, drawn.values)
    with pytest.raises(MethodError, match=r"pda\(compat='captum'\): found an unknown name"):
        pda(compat="captum")  # type: ignore[arg-type]


def test_marginal_sampling_is_the_published_algorithm_too():
    net, x, others = network().double(), picture().double(), picture(seed=5, batch=3).double()
    expected = twin.analysed(
        lambda sample: net(torch.from_numpy(sample)[None]).softmax(1)[0].detach().numpy(), x[0].numpy(), 2,
        lambda top, left, s: others[s, :, top : top + 4, left : left + 4].numpy(), 4, 3, samples=3,
    )  # fmt: skip
    e = explained(net, x, target=2, samples=3, sampler=marginal(others, shuffle=False))
    np.testing.assert_allclose(e.values[0, 0].numpy(), expected, rtol=0, atol=1e-9)


# -- what the numbers mean ------------------------------------------------------------------------------------------------


class Odds(nn.Module):
    """Two classes; every column of a table adds its own number of bits to the odds of the first."""

    def __init__(self, bits: list[float], last: nn.Module | None = None) -> None:
        super().__init__()
        self.bits, self.last = nn.Parameter(torch.tensor(bits)), last

    def forward(self, x: Tensor) -> Tensor:
        score = (x * self.bits).sum(1) * math.log(2)
        scores = torch.stack([score, torch.zeros_like(score)], 1)
        return scores if self.last is None else self.last(scores)


def test_a_column_that_doubles_the_odds_is_one_bit_for_and_against():
    net = Odds([1.0, -2.0, 0.0]).eval()
    e = pl.explain(net, torch.ones(1, 3), [0], pda(sampler=0.0, seen=10**9))
    assert torch.allclose(e.values, torch.tensor([[1.0, -2.0, 0.0]]), atol=1e-6)
    against = pl.explain(net, torch.ones(1, 3), [1], pda(sampler=0.0, seen=10**9))
    assert torch.allclose(against.values, -e.values, atol=1e-6)
    assert "1 where a window doubles the odds" in e.caption() and e.forwards == 4


def test_the_laplace_correction_bounds_the_evidence():
    net = Odds([60.0]).eval()
    e = pl.explain(net, torch.ones(1, 1), 0, pda(sampler=0.0, seen=1000))
    assert float(e.values) == pytest.approx(math.log2(1001 / 1), rel=1e-6)  # odds (N + 1) / (K - 1), from even odds


@pytest.mark.parametrize("target", [pl.probability(1), pl.log_odds(1)])
def test_score_probability_and_odds_of_a_class_have_the_same_evidence(target: pl.Target):
    net, x = network(), picture()
    e = explained(net, x, target)
    assert torch.equal(e.values, explained(net, x, 1).values)
    assert torch.allclose(e.output, target.read(lambda at: net(x)).detach())


def test_a_model_that_ends_in_a_softmax_has_the_same_evidence():
    ends = explained(network(last=nn.Softmax(1)), picture())
    torch.testing.assert_close(ends.values, explained(network(), picture()).values, rtol=1e-4, atol=1e-5)


def test_a_contrast_is_the_difference_of_two_maps():
    net, x = network(), picture()
    for_, against = explained(net, x, 1).values, explained(net, x, 2).values
    found = explained(net, x, pl.logit(1) - 2 * pl.logit(2))
    torch.testing.assert_close(found.values, for_ - 2 * against, rtol=0, atol=1e-5)


def test_hidden_units_have_the_plain_difference_of_their_mean_activation():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    x, others = picture(), picture(seed=5, batch=2)
    e = explained(net, x, pl.channel("1", 2), samples=2, sampler=marginal(others, shuffle=False))
    with torch.no_grad():
        evidence, counts = torch.zeros(2, SIDE, SIDE)
        for top in twin.starts(SIDE, 4, 3):
            for left in twin.starts(SIDE, 4, 3):
                changed = x.repeat(2, 1, 1, 1)
                changed[:, :, top : top + 4, left : left + 4] = others[:, :, top : top + 4, left : left + 4]
                fall = net[:2](x)[:, 2].mean() - net[:2](changed)[:, 2].mean()
                evidence[top : top + 4, left : left + 4] += fall
                counts[top : top + 4, left : left + 4] += 1
    torch.testing.assert_close(e.values[0, 0], evidence / counts, rtol=1e-4, atol=1e-6)
    assert "own units" in e.caption() and "in bits" not in e.caption()


@pytest.mark.parametrize("target", [lambda out: out[:, 1] ** 2, pl.logit(1) + pl.channel("2", 3)], ids=["function", "mixed"])
def test_what_is_no_class_has_the_plain_difference(target: Any):
    e = explained(network(), picture(), target)
    assert e.values.any() and "own units" in e.caption()


def test_a_single_number_has_no_odds():
    e = explained(network(outputs=1), picture(), 0)
    assert e.values.any() and "own units" in e.caption()


def test_layers_inside_can_be_perturbed():
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)).eval()
    e = pl.explain(net, picture(), 1, pda(samples=3), at="1")
    assert e.values.shape == (1, 6, 12, 12) and e.values.any() and "elsewhere in the input" in e.caption()


# -- standard errors ------------------------------------------------------------------------------------------------------


def test_standard_errors_are_those_seen_over_many_seeds():
    net, x = network(), picture()
    runs = [explained(net, x, samples=8, stride=4, sampler=noise(seed=seed)) for seed in range(60)]
    windows = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    windows[0, 0], windows[5, 5], windows[9, 1] = True, True, True  # each in one window only
    seen = torch.stack([run.values[0, 0][windows] for run in runs]).std(0)
    told = torch.stack([run.error[0, 0][windows] for run in runs]).square().mean(0).sqrt()
    assert ((told / seen - 1).abs() < 0.3).all(), (told, seen)


def test_one_sample_tells_no_error_and_a_sampler_that_does_not_draw_is_asked_once():
    net, x = network(), picture()
    assert explained(net, x, samples=1).error is None
    fixed = explained(net, x, sampler=0.0)
    assert fixed.error is None and fixed.forwards == 25 + 1


def test_a_picture_without_anything_in_it_has_no_evidence_and_no_error():
    e = explained(network(), torch.zeros(1, 3, SIDE, SIDE))
    assert e.values.abs().max() < 1e-6 and e.error.abs().max() < 1e-6


# -- windows --------------------------------------------------------------------------------------------------------------


def test_windows_cover_every_place_and_end_at_the_border():
    e = explained(network(), picture(), window=5, stride=4, samples=1)
    assert e.forwards == 4 * 4 + 1  # at 0, 4, 8 and, moved inside, 9
    assert "16 windows of 5 x 5" in e.caption()
    assert (e.values != 0).all()


@pytest.mark.parametrize(
    ("shape", "window"), [((12,), "1"), ((4, 24), "6"), ((3, 16, 16), "4 x 4"), ((2, 8, 8, 8), "2 x 2 x 2"), ((5, 6), "1"),
                          ((3, 48, 48), "10 x 10"), ((1, 3, 3), "1 x 1"), ((2, 2), "1")],
)  # fmt: skip
def test_every_input_has_windows_that_suit_it(shape: tuple[int, ...], window: str):
    e = pl.explain(network(shape=shape), picture(shape=shape), 1, pda(samples=2))
    assert f"windows of {window}, each filled 2 times" in e.caption()
    assert e.values.shape == (1, *shape) and e.values.isfinite().all() and e.values.any()


def test_the_context_is_that_of_the_paper_unless_told():
    net, x = network(), picture()
    plain, told, wide = (explained(net, x, context=context).values for context in (None, 8, 10))
    assert torch.equal(plain, told) and not torch.equal(plain, wide)
    for context in (5, 4, 7):
        with pytest.raises(MethodError, match=rf"context={context}\): found windows of 4; the frame .* is as wide on every side"):
            explained(net, x, context=context)
    with pytest.raises(MethodError, match=r"samples=0\): found 0 draws"):
        pda(samples=0)


def test_a_window_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"windows of 20 x 20: found an input of 14 x 14 places"):
        explained(network(), picture(), window=20)


def test_the_usual_sampler_is_the_shipped_gaussian():
    net, x = network(), picture()
    own = ConditionalGaussian(shipped(), 2, "full", seed=3)
    assert torch.equal(explained(net, x, colour="full", seed=3).values, explained(net, x, sampler=own).values)
    assert "each filled 4 times with draws from a Gaussian given the pixels around it" in explained(net, x).caption()


# -- coarse to fine -------------------------------------------------------------------------------------------------------


def test_refined_in_full_is_the_full_run():
    net, x = network(), picture(batch=2)
    full, fine = (explained(net, x, stride=1, refine=share) for share in (None, 1.0))
    assert fine.forwards == full.forwards and isinstance(pda(refine=0.5), Refined)
    torch.testing.assert_close(fine.values, full.values, rtol=0, atol=1e-5)
    torch.testing.assert_close(fine.error, full.error, rtol=0, atol=1e-6)


class Corner(nn.Module):
    """Sees one corner only."""

    def forward(self, x: Tensor) -> Tensor:
        score = x[:, :, 1:4, 9:13].sum((1, 2, 3))
        return torch.stack([score, -score], 1)


def test_refining_asks_where_something_was_found_and_gets_the_same_values_there():
    net, x = Corner().eval(), picture()
    full, fine = (explained(net, x, 0, stride=1, refine=share, sampler=0.0) for share in (None, 0.2))
    assert 16 < fine.forwards < 0.45 * full.forwards
    assert "windows were evaluated" in fine.caption()
    torch.testing.assert_close(
        fine.values[..., 1:4, 9:13], full.values[..., 1:4, 9:13], rtol=0, atol=0.35 * float(full.values.abs().max())
    )
    assert not fine.values[..., 8:, :6].any()


def test_refining_can_be_called_off():
    net, x = network(), picture()
    with watched(lambda done, total, what: True):
        e = explained(net, x, stride=1, refine=0.5, batch=12)
    assert "Called off after 3 of 16 perturbed samples" in e.caption() and e.values.isfinite().all()


def test_refining_by_no_share_is_refused():
    with pytest.raises(MethodError, match=r"pda refined by 0: found 0"):
        pda(refine=0)


# -- beside others --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refine", [None, 0.3])
def test_a_sample_alone_is_explained_as_in_a_batch(refine: float | None):
    net, x = network(), picture(batch=3)
    together = explained(net, x, [0, 1, 2], refine=refine)
    for k in range(3):
        alone = explained(net, x[k : k + 1], k, refine=refine, batch=2)
        torch.testing.assert_close(alone.values, together.values[k : k + 1], rtol=0, atol=1e-5)


def test_it_gives_the_same_bits_twice_and_others_for_another_seed():
    net, x = network(), picture()
    assert torch.equal(explained(net, x).values, explained(net, x).values)
    assert not torch.equal(explained(net, x).values, explained(net, x, seed=1).values)


def test_one_run_tells_the_evidence_for_every_class():
    net, x = network(), picture()
    run = pda(window=4, stride=3, samples=4).sample(net, x, 1)
    other = run.study.regions.paint(run.fit(target=2).values)
    torch.testing.assert_close(other.float(), explained(net, x, 2).values[0, :1], rtol=0, atol=1e-6)


def test_progress_is_told_and_calling_off_keeps_what_is_there():
    seen = []
    with watched(lambda done, total, what: seen.append((done, total)) or len(seen) == 2):
        e = explained(network(), picture(), batch=16)
    assert seen == [(16, 100), (32, 100)] and "Called off after 8 of 25" in e.caption()
    assert e.values[0, 0, 0].any() and not e.values[0, 0, -1].any()


def test_evidence_from_nothing_seen_is_refused():
    with pytest.raises(MethodError, match=r"seen=0"):
        WeightOfEvidence(0)


def test_a_sampler_of_your_own_pictures():
    net, x = network(), picture()
    own = conditional_gaussian(picture(seed=3, batch=4), reach=9, colour="full")
    e = explained(net, x, sampler=own)
    assert e.values.any() and "colour=full" in str(e.provenance["method"]["options"])
