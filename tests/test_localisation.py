"""Localisation and complexity, beside slow twins and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid import metrics
from pellucid.errors import MethodError
from pellucid.metrics.complexity import Complexity, EffectiveComplexity, Sparseness
from pellucid.metrics.localisation import (
    ROCAUC,
    AttributionLocalisation,
    EnergyPointingGame,
    PointingGame,
    RelevanceMass,
    RelevanceRank,
    TopK,
)
from pellucid.metrics.metric import Answer, Question, question
from pellucid.model import load
from pellucid.target import logit

WITH_MASK = (RelevanceMass(), EnergyPointingGame(), AttributionLocalisation(), RelevanceRank(), TopK(), PointingGame(), ROCAUC())
OF_MAPS = (Sparseness(), Complexity(), EffectiveComplexity())


def asked(masks: Tensor | None, n: int, side: int = 6) -> Question:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * side * side, 2)).eval()
    return question(load(net), torch.randn(n, 3, side, side), logit(0), masks=masks)


def scored(metric, values: Tensor, masks: Tensor | None = None, shared: bool = False) -> list[float]:
    return metric.score(asked(masks, len(values), values.shape[-1]), Answer(values, shared=shared)).values.tolist()


@pytest.fixture
def drawn() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    masks = torch.zeros(5, 6, 6, dtype=torch.bool)
    for i in range(5):
        masks[i, i : i + 2, 1 : 3 + i % 3] = True
    return torch.randn(5, 3, 6, 6, generator=rng), masks


def places(values: Tensor) -> list[list[float]]:
    return values.sum(1).flatten(1).tolist()


def test_relevance_mass_is_the_share_of_what_is_positive(drawn):
    values, masks = drawn
    for heat, mask, found, other in zip(
        places(values), masks.flatten(1).tolist(), scored(RelevanceMass(), values, masks),
        scored(AttributionLocalisation(), values, masks), strict=True,
    ):  # fmt: skip
        inside = sum(max(r, 0) for r, m in zip(heat, mask, strict=True) if m)
        share = inside / sum(max(r, 0) for r in heat)
        assert found == pytest.approx(share, rel=1e-6)
        assert other == pytest.approx(share * 36 / sum(mask), rel=1e-6)
    assert scored(EnergyPointingGame(), values, masks) == scored(RelevanceMass(), values, masks)


@pytest.mark.parametrize("pooling", ["square", "largest"])
def test_relevance_mass_pools_channels_as_the_paper_does(drawn, pooling):
    values, masks = drawn
    pool = values.square().sum(1) if pooling == "square" else values.abs().amax(1)
    expected = [float((pool[i] * masks[i]).sum() / pool[i].sum()) for i in range(5)]
    assert scored(RelevanceMass(pooling), values, masks) == pytest.approx(expected, rel=1e-5)


def test_relevance_rank_and_top_k_count_the_first_places(drawn):
    values, masks = drawn
    for heat, mask, rank, top in zip(
        places(values), masks.flatten(1).tolist(), scored(RelevanceRank(), values, masks), scored(TopK(k=7), values, masks),
        strict=True,
    ):  # fmt: skip
        order = sorted(range(36), key=lambda i: -heat[i])
        assert rank == pytest.approx(sum(mask[i] for i in order[: sum(mask)]) / sum(mask))
        assert top == pytest.approx(sum(mask[i] for i in order[:7]) / 7)


def test_roc_auc_counts_pairs(drawn):
    values, masks = drawn
    values = values.round()  # many ties
    for heat, mask, found in zip(places(values), masks.flatten(1).tolist(), scored(ROCAUC(), values, masks), strict=True):
        inside = [r for r, m in zip(heat, mask, strict=True) if m]
        outside = [r for r, m in zip(heat, mask, strict=True) if not m]
        pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in inside for b in outside]
        assert found == pytest.approx(sum(pairs) / len(pairs))


def test_the_pointing_game_forgives_a_near_miss():
    values, masks = torch.zeros(3, 3, 6, 6), torch.zeros(3, 6, 6, dtype=torch.bool)
    masks[:, 2:4, 2:4] = True
    for i, (row, column) in enumerate([(2, 2), (2, 5), (0, 0)]):
        values[i, :, row, column] = 1
    assert scored(PointingGame(tolerance=0), values, masks) == [1, 0, 0]
    assert scored(PointingGame(tolerance=2.5), values, masks) == [1, 1, 0]


def test_maps_that_say_nothing_point_by_chance_and_have_no_mass(drawn):
    _, masks = drawn
    share = [float(mask.float().mean()) for mask in masks]
    for constant in (0.0, -1.0, 1.0):
        values = torch.full((5, 3, 6, 6), constant)
        assert scored(RelevanceRank(), values, masks) == pytest.approx(share)
        assert scored(TopK(k=10), values, masks) == pytest.approx(share)
        assert scored(PointingGame(tolerance=0), values, masks) == pytest.approx(share)
        assert scored(ROCAUC(), values, masks) == pytest.approx([0.5] * 5)
        mass = scored(RelevanceMass(), values, masks)
        assert mass == pytest.approx(share) if constant > 0 else all(map(math.isnan, mass))


@pytest.mark.parametrize("metric", WITH_MASK, ids=lambda m: m.name)
def test_a_sample_without_a_truth_or_with_a_broken_map_has_no_score(metric, drawn):
    values, masks = drawn
    masks, values = masks.clone(), values.clone()
    masks[1] = False
    values[2, 0, 0, 0] = torch.nan
    found = scored(metric, values, masks)
    assert [math.isnan(score) for score in found] == [False, True, True, False, False]


@pytest.mark.parametrize("metric", (*WITH_MASK, *OF_MAPS), ids=lambda m: m.name)
def test_scores_do_not_change_with_the_scale_and_know_one_sample_only(metric, drawn):
    values, masks = drawn
    needs = masks if metric.needs == "mask" else None
    found = scored(metric, values, needs)
    assert scored(metric, 7 * values, needs) == pytest.approx(found, rel=1e-6)
    alone = [scored(metric, values[i : i + 1], None if needs is None else needs[i : i + 1])[0] for i in range(5)]
    assert alone == pytest.approx(found, rel=1e-9)


def test_sparseness_and_complexity_by_hand():
    one, even = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    one[0, 0, 0, 1] = -3
    for metric, few, many in ((Sparseness(), 0.75, 0.0), (Complexity(), 0.0, math.log(4)), (EffectiveComplexity(), 1, 4)):
        found = [metric.score(asked(None, 1, 2), Answer(map_, shared=True)).values.item() for map_ in (one, even)]
        assert found == pytest.approx([few, many], abs=1e-9)


def test_gini_is_the_mean_difference_over_twice_the_mean(drawn):
    for heat, found in zip(places(drawn[0]), scored(Sparseness(), drawn[0]), strict=True):
        sizes = [abs(r) for r in heat]
        differences = sum(abs(a - b) for a in sizes for b in sizes) / len(sizes) ** 2
        assert found == pytest.approx(differences / (2 * sum(sizes) / len(sizes)), rel=1e-6)


def test_nonsense_is_refused_in_words():
    for make, words in (
        (lambda: RelevanceMass("sum"), "positive"),
        (lambda: TopK(0), "k=0"),
        (lambda: EffectiveComplexity(2), "0.9"),
    ):
        with pytest.raises(MethodError, match=words):
            make()


def test_they_are_asked_by_name_with_masks():
    net = nn.Sequential(nn.Flatten(), nn.Linear(27, 2)).eval()
    x, masks = torch.randn(4, 3, 3, 3), torch.zeros(4, 3, 3, dtype=torch.bool)
    masks[:, 0] = True
    table = pl.evaluate(
        net, x, methods=["gradient_x_input"], metrics=["relevance_mass", "pointing_game", "sparseness"], masks=masks
    )
    assert {row["metric"] for row in table.rows} == {"relevance_mass", "pointing_game", "sparseness"}
    assert metrics.RelevanceMass is RelevanceMass
