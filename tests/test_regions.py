"""Regions and certainty: where evidence lies together, how much of it, and when there is none to speak of."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch

from pellucid import zoo
from pellucid.core.blur import smoothed
from pellucid.errors import InputError, MissingExtra
from pellucid.explanation import uncertainty
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.regions import Region, components, connected, finer, segments
from pellucid.explanation.superpixels import superpixels


def made(values: torch.Tensor, **fields: Any) -> Explanation:
    whole = {"output": torch.ones(len(values)), "target": "logit 3", "method": "occlusion", "signed": True}
    return Explanation(values, **(whole | fields))


def blocks() -> np.ndarray:
    """A strong block for, a weaker one against, faint noise elsewhere."""
    heat = 0.01 * np.random.default_rng(0).standard_normal((40, 40))
    heat[4:12, 4:12] += 2.0
    heat[28:34, 20:32] -= 1.0
    return heat


def flooded(mask: np.ndarray) -> list[frozenset[tuple[int, int]]]:
    """Connected parts by the slow textbook way: a flood from every place that is still dry."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    parts = []
    while left:
        start = left.pop()
        part, queue = {start}, deque([start])
        while queue:
            row, column = queue.popleft()
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            part |= near
            queue.extend(near)
        parts.append(frozenset(part))
    return parts


# components


@pytest.mark.parametrize("share", [0.05, 0.3, 0.45, 0.7, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (23, 31)])
def test_components_are_those_a_flood_finds(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(7).random(shape) < share
    labels = components(mask)
    ours = {frozenset(map(tuple, np.argwhere(labels == name).tolist())) for name in np.unique(labels[labels > 0])}
    assert ours == set(flooded(mask)) and ((labels > 0) == mask).all()


def test_a_winding_snake_is_one_component() -> None:
    mask = np.zeros((41, 41), dtype=bool)
    mask[::4], mask[2::8, -1], mask[1::8, -1], mask[3::8, -1] = True, True, True, True
    mask[5::8, 0], mask[6::8, 0], mask[7::8, 0] = True, True, True
    assert len(np.unique(components(mask)[mask])) == 1


# connected regions


def test_the_regions_are_the_blocks_and_hold_almost_all_evidence() -> None:
    pro, contra = connected(blocks(), top=0.085, smooth=0.0)
    assert (pro.box, contra.box) == ((4, 4, 12, 12), (28, 20, 34, 32)) and (pro.against, contra.against) == (False, True)
    assert pro.share_for > 0.93 > 0.05 > pro.share_against and contra.share == contra.share_against > 0.9
    assert pro.evidence == pytest.approx(128, rel=0.01) and contra.evidence == pytest.approx(-72, rel=0.01)
    assert pro.area == pytest.approx(0.04, rel=0.05) and pro.parts == contra.parts == 1


def test_shares_are_of_the_raw_values_and_add_up_to_one() -> None:
    heat = np.random.default_rng(1).standard_normal((30, 30))
    found = connected(heat, top=1.0, smooth=0.0, least=0.0)
    assert sum(one.share_for for one in found) == pytest.approx(heat[heat > 0.05 * abs(heat).max()].sum() / heat[heat > 0].sum())
    assert all(one.evidence == pytest.approx(heat[one.mask.numpy()].sum()) for one in found)
    assert [abs(one.evidence) for one in found] == sorted((abs(one.evidence) for one in found), reverse=True)


def test_a_region_is_its_mask_and_its_box_is_tight() -> None:
    for one in connected(np.random.default_rng(2).standard_normal((50, 70)), top=0.2):
        top, left, bottom, right = one.box
        inside = one.mask[top:bottom, left:right]
        assert one.mask.dtype == torch.bool and inside.sum() == one.mask.sum() == round(one.area * 3500)
        assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_a_spray_of_single_pixels_is_a_few_regions_and_nothing_is_lost() -> None:
    spray = np.where(np.random.default_rng(3).random((224, 224)) < 0.1, 1.0, 0.0)
    spray[:, 112:] = 0.0
    assert len(np.unique(components(spray > 0))) > 500
    found = connected(spray, top=0.1)
    assert 1 <= len(found) <= 30 and all(one.box[3] <= 120 for one in found)
    apart = connected(spray, top=0.1, smooth=0.0)
    (rest,) = [one for one in apart if one.parts > 1]
    assert sum(one.share for one in apart) == pytest.approx(1.0) and rest.parts > 400 and all(one.share >= 0.01 for one in apart)


def test_for_and_against_compete_for_the_same_places() -> None:
    heat = blocks()
    assert [one.against for one in connected(heat, top=0.03, smooth=0.0)] == [False]
    assert sum(one.area for one in connected(heat, top=0.03, smooth=0.0)) == pytest.approx(0.03)


def test_places_that_are_nothing_beside_the_strongest_are_left_out() -> None:
    heat = np.full((20, 20), 1e-3)
    heat[3:5, 3:5] = 1.0
    (only,) = connected(heat, top=0.5, smooth=0.0)
    assert only.mask.sum() == 4


def test_features_in_a_row_are_no_neighbours_and_moments_in_time_are() -> None:
    row = torch.tensor([[0.0, 2.0, 3.0, 0.0, -1.0, 0.0]])
    assert [one.box[1] for one in made(row).regions(top=0.5)] == [2, 1, 4]
    assert [one.box for one in made(row[:, None]).regions(top=0.5, smooth=0.0)] == [(0, 1, 1, 3), (0, 4, 1, 5)]


def test_an_unsigned_method_has_no_region_against() -> None:
    found = made(-torch.from_numpy(blocks())[None, None], signed=False).regions()
    assert found and not any(one.against for one in found) and all(one.share_against == 0 for one in found)


@pytest.mark.parametrize("value", [0.0, 1e-14, float("nan")])
def test_where_there_is_no_evidence_there_is_no_region(value: float) -> None:
    e = made(torch.full((1, 3, 8, 8), value))
    assert e.nothing() and e.regions() == () and "No evidence found." in e.caption()


def test_a_region_says_what_it_is() -> None:
    (found,) = connected(np.pad(np.ones((2, 2)), 1), smooth=0.0, top=0.25)
    assert repr(found) == "Region(100.0% of what speaks for on 25.0% of the places, box (1, 1, 3, 3))"
    assert "8 parts" in repr(Region(found.mask, found.box, -1.0, 0.0, 0.5, 0.25, 8))


@pytest.mark.parametrize("top", [0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(top: float) -> None:
    with pytest.raises(InputError, match=r"regions\(top=.*a share of the pixels lies in \(0, 1\]; *|Ask for regions\(top=0.1\)"):
        made(torch.ones(1, 1, 4, 4)).regions(top=top)


def test_smoothing_keeps_the_sum_and_mirrors_at_the_border() -> None:
    heat = np.random.default_rng(4).random((17, 9))
    assert smoothed(heat, 2.0).sum() == pytest.approx(heat.sum()) and smoothed(heat, 0.0) is heat


# segments


def test_labels_of_ones_own_tell_how_much_lies_in_each() -> None:
    heat = torch.tensor([[[[4.0, 1.0, -2.0, 0.0]]]]).expand(1, 1, 4, 4)
    labels = torch.tensor([[0, 0, 5, 9]]).expand(4, 4)
    both = made(heat).regions(top=1.0, by=labels)
    assert [(one.evidence, one.share) for one in both] == [(20.0, 1.0), (-8.0, 1.0)]  # the third holds nothing
    assert len(made(heat).regions(top=0.1, by=labels)) == 1  # the loudest, however large


def test_segments_fill_no_more_than_their_share_loudest_for_their_size_first() -> None:
    labels = np.repeat(np.arange(10), 10).reshape(10, 10)
    heat = np.arange(100.0).reshape(10, 10) - 50
    found = segments(heat, labels, top=0.35)
    assert sum(one.area for one in found) == pytest.approx(0.3)
    assert {one.box[0] for one in found} == {0, 9, 1}


@pytest.mark.parametrize("labels", [torch.zeros(3, 3, dtype=torch.long), torch.zeros(4, 4)])
def test_labels_that_do_not_fit_are_refused(labels: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"the map has shape \(4, 4\). Pass one whole number per place"):
        made(torch.ones(1, 1, 4, 4)).regions(by=labels)


def test_a_kind_of_region_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match=r'regions\(by="quickshift"\).*Use "connected", "superpixels", or a tensor'):
        made(torch.ones(1, 1, 4, 4)).regions(by="quickshift")


def test_a_coarse_map_keeps_its_sum_on_finer_places() -> None:
    heat = np.random.default_rng(5).standard_normal((7, 7))
    fine = finer(heat, 30, 45)
    assert fine.shape == (30, 45) and fine.sum() == pytest.approx(heat.sum()) and np.sign(fine[0, 0]) == np.sign(heat[0, 0])


# superpixels


def photograph() -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(zoo.pictures()["coffee"]).convert("RGB").resize((96, 64)))


def test_superpixels_cover_the_picture_without_gaps_in_their_numbers_and_are_the_same_each_time() -> None:
    pytest.importorskip("skimage")
    picture = photograph()
    before, labels = picture.copy(), superpixels(picture, 40)
    assert labels.dtype == torch.int64 and labels.shape == (64, 96) and 15 <= labels.max() + 1 <= 60
    assert torch.equal(labels.unique(), torch.arange(int(labels.max()) + 1)) and torch.equal(labels, superpixels(picture, 40))
    assert np.array_equal(picture, before) and torch.equal(labels, superpixels(torch.from_numpy(picture.copy()), 40))


def test_superpixels_follow_edges() -> None:
    pytest.importorskip("skimage")
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    picture[:, 27:] = 255
    labels = superpixels(picture, 12)
    assert not set(labels[:, :27].flatten().tolist()) & set(labels[:, 27:].flatten().tolist())
    assert torch.equal(labels, superpixels(picture[..., :1], 12))  # grey has one channel


def test_regions_can_be_superpixels_of_the_photograph_also_of_a_coarse_map() -> None:
    pytest.importorskip("skimage")
    picture = photograph()
    heat = torch.zeros(1, 1, 8, 12)
    heat[..., 2:4, 3:6] = 1.0
    found = made(heat, picture=picture).regions(by="superpixels")
    assert found and all(one.mask.shape == (64, 96) for one in found) and found[0].box[0] < 32
    assert 0.3 < sum(one.share_for for one in found) <= 1 and sum(one.area for one in found) <= 0.1


def test_superpixels_without_a_photograph_are_refused() -> None:
    for e in (made(torch.ones(1, 1, 4, 4)), made(torch.ones(1, 4), picture=photograph())):
        with pytest.raises(InputError, match=r"found no photograph below the map; superpixels are pieces of one"):
            e.regions(by="superpixels")


@pytest.mark.parametrize(
    ("picture", "n"), [(np.zeros((8, 8), np.uint8), 4), (np.zeros((8, 8, 3)), 4), (np.zeros((8, 8, 3), np.uint8), 0)]
)
def test_what_is_no_picture_is_not_cut(picture: np.ndarray, n: int) -> None:
    with pytest.raises(InputError, match="uint8 of shape"):
        superpixels(picture, n)


def test_without_scikit_image_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(MissingExtra, match=r"pip install pellucid\[segments\]"):
        superpixels(photograph())


# certainty


def sampled(signal: torch.Tensor, spread: float, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of n noisy measurements of a signal, and its standard error as they themselves tell it."""
    draws = signal + spread * torch.randn(n, *signal.shape, generator=torch.Generator().manual_seed(seed))
    return draws.mean(0), draws.std(0) / n**0.5


@pytest.mark.parametrize("spread", [0.5, 2.0, 5.0])
def test_reliability_is_the_correlation_with_another_seed(spread: float) -> None:
    signal = torch.randn(100, 100, generator=torch.Generator().manual_seed(9))
    heat, error = sampled(signal, spread, n=16)
    other, _ = sampled(signal, spread, n=16, seed=1)
    seen = float((heat * other).sum() / (heat.norm() * other.norm()))
    assert uncertainty.reliability(heat, error, signed=True) == pytest.approx(seen, abs=0.03)
    lifted = uncertainty.reliability(heat + 1000, error, signed=False)
    assert lifted == pytest.approx(float(torch.corrcoef(torch.stack([heat.flatten(), other.flatten()]))[0, 1]), abs=0.03)


def test_pure_noise_on_many_places_is_found_out_though_some_lie_far_from_zero() -> None:
    heat, error = sampled(torch.zeros(224, 224), 1.0, n=32)
    assert (heat / error).abs().max() > 4
    assert uncertainty.doubt(heat, error, signed=True).startswith("Under-sampled: too few samples for 50,")


@pytest.mark.parametrize("places", [1, 2, 4])
def test_pure_noise_on_a_few_places_is_mostly_found_out(places: int) -> None:
    passed = [not uncertainty.doubt(*sampled(torch.zeros(places), 1.0, n=64, seed=seed), signed=True) for seed in range(200)]
    assert sum(passed) < 0.15 * len(passed)


def test_a_clear_signal_passes_and_a_single_strong_place_is_enough() -> None:
    assert uncertainty.doubt(*sampled(torch.randn(50, 50), 1.0, n=64), signed=True) == ""
    signal = torch.zeros(20, 20)
    signal[3, 3] = 10.0
    assert uncertainty.doubt(*sampled(signal, 1.0, n=16), signed=True) == ""


def test_an_unsigned_map_that_is_high_everywhere_ranks_no_places() -> None:
    heat, error = sampled(torch.full((30, 30), 5.0), 1.0, n=16)
    assert uncertainty.doubt(heat, error, signed=False) and not uncertainty.doubt(heat, error, signed=True)


def under_sampled(**fields: Any) -> Explanation:
    heat, error = sampled(torch.zeros(64, 64), 1.0, n=8)
    return made(heat[None, None], error=error[None, None], forwards=1024, **fields)


def test_an_under_sampled_map_says_so_and_has_no_regions() -> None:
    e = under_sampled()
    (warning,) = e.warnings()
    assert warning.startswith("Under-sampled: 1,024 forward passes for 4,0") and warning in e.caption()
    assert "a map from another seed would correlate with this one by 0.0" in warning and "Take more samples" in warning
    assert e.regions() == () and e.reliability() < 0.2


def test_places_removed_together_count_once_and_passes_are_told_per_sample() -> None:
    values = torch.tensor([[0.1, -0.2]]).repeat_interleave(8, 1)[:, None, None].expand(2, 3, 4, 16)
    e = made(values, error=torch.ones_like(values), shared=True, forwards=10)
    assert "Under-sampled: 5 forward passes for 2 values; " in e.doubt(1)


def test_few_values_within_two_standard_errors_are_in_doubt() -> None:
    e = made(torch.tensor([[1.9, 0.0]]), error=torch.tensor([[1.0, 0.1]]))
    assert e.reliability() > 0.7 and "no value is two standard errors from zero" in e.doubt()


def test_the_standard_error_is_in_the_caption() -> None:
    e = made(torch.tensor([[3.0, -4.0]]), error=torch.tensor([[0.25, 0.5]]))
    assert "Standard error at most 0.500, 12 % of the largest value" in e.caption() and e.warnings() == []
    exact = made(torch.tensor([[3.0, -4.0]]), error=torch.zeros(1, 2))
    assert exact.caption() == "occlusion -> logit 3 = 1.00." and exact.reliability() == 1.0


@pytest.mark.parametrize("error", [float("nan"), float("inf")])
def test_a_standard_error_that_is_no_number_is_doubt(error: float) -> None:
    e = made(torch.tensor([[3.0, -4.0]]), error=torch.tensor([[0.1, error]]))
    assert "The standard error is not known everywhere." in e.caption() and e.doubt().startswith("Under-sampled")


def test_the_error_of_a_place_sums_channels_as_the_heat_does() -> None:
    error = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    alone = made(torch.ones(1, 2, 2, 2), error=error)
    assert alone.heat_error().unique().tolist() == [5.0] and alone.heat_error().shape == alone.heat().shape
    together = made(torch.ones(1, 2, 2, 2), error=torch.full((1, 2, 2, 2), 3.0), shared=True)
    assert together.heat_error().unique().tolist() == [3.0] and made(torch.ones(1, 2)).heat_error() is None


def test_what_is_exact_is_never_in_doubt() -> None:
    assert made(torch.ones(1, 1, 4, 4)).doubt() == "" and made(torch.ones(1, 1, 4, 4)).reliability() == 1.0
