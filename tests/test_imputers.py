"""What stands where something was taken away: every imputer against its definition, written out slowly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import pellucid as pl
from pellucid import zoo
from pellucid.core.random import normal
from pellucid.errors import InputError
from pellucid.methods.perturb import (
    Statistics,
    blur,
    conditional_gaussian,
    constant,
    marginal,
    mean,
    measured,
    noise,
    noisy_linear,
    patched,
    segment_mean,
)
from pellucid.methods.perturb.imputers.conditional_gaussian import ConditionalGaussian, shipped
from pellucid.methods.perturb.imputers.draws import draw_generator
from pellucid.methods.perturb.imputers.imputer import occluded
from pellucid.methods.perturb.imputers.photographs import photographs
from pellucid.methods.perturb.imputers.statistics import _moments, _products
from pellucid.methods.perturb.occlusion import occlusion
from pellucid.methods.perturb.regions.division import Sliding
from pellucid.methods.perturb.regions.regions import Partition, Windows
from pellucid.model import Model, Preprocess

SHAPES = {
    "table": (12,),
    "signal": (4, 24),
    "picture": (3, 16, 16),
    "grey": (1, 12, 12),
    "volume": (2, 8, 8, 8),
    "sequence": (5, 6),
}
PIXELS = ("picture", "grey")


def sample(name: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(1, *SHAPES[name], generator=rng, dtype=torch.float64).to(dtype)


def windows(x: Tensor, size: int = 3, stride: int = 2) -> tuple[Windows, Tensor]:
    """Windows over a sample, and the mask of each."""
    regions = Sliding(size, stride).of(x, None)
    absent = torch.eye(regions.n, dtype=torch.bool)
    return regions, regions.gone(absent, range(regions.n))


IMPUTERS: dict[str, Callable[[Tensor], Any]] = {
    "constant": lambda x: constant(0.5),
    "mean": lambda x: mean(),
    "segment_mean": lambda x: segment_mean(),
    "blur": lambda x: blur(),
    "normal noise": lambda x: noise(),
    "uniform noise": lambda x: noise("uniform"),
    "marginal": lambda x: marginal(torch.cat([x + k for k in range(1, 5)])),
    "shifted": lambda x: marginal(),
    "noisy_linear": lambda x: noisy_linear(),
    "conditional_gaussian": lambda x: conditional_gaussian(torch.cat([x, x.flip(-1), -x]), margin=1, reach=7),
    "photographs": lambda x: conditional_gaussian(),
}
PAIRS = [
    (imputer, shape)
    for imputer, shape in product(IMPUTERS, SHAPES)
    if (imputer != "photographs" or shape in PIXELS) and (imputer != "conditional_gaussian" or shape != "table")
]
each_imputer = pytest.mark.parametrize(("imputer", "shape"), PAIRS, ids=[f"{i} of a {s}" for i, s in PAIRS])


# -- laws for all ---------------------------------------------------------------------------------------------------------


@each_imputer
def test_what_is_not_gone_stays_and_what_is_gone_is_finite(imputer: str, shape: str):
    x = sample(shape)
    regions, gone = windows(x)
    fill = IMPUTERS[imputer](x).prepare(x, regions, None)
    filled = occluded(x, gone, fill, list(range(len(gone))))
    assert filled.shape == (len(gone), *x.shape[1:]) and filled.dtype == x.dtype and filled.isfinite().all()
    kept = (~gone).expand_as(filled)
    assert torch.equal(filled[kept], x.expand_as(filled)[kept])
    assert not torch.equal(filled, x.expand_as(filled))


@each_imputer
def test_the_same_draw_is_the_same_in_any_company_and_order(imputer: str, shape: str):
    x = sample(shape)
    regions, gone = windows(x)
    draws = [k % 3 for k in range(len(gone))]
    fill = IMPUTERS[imputer](x).prepare(x, regions, None)
    together = occluded(x, gone, fill, draws)
    order = torch.randperm(len(gone), generator=torch.Generator().manual_seed(5)).tolist()
    again = IMPUTERS[imputer](x).prepare(x, regions, None)
    turned = occluded(x, gone[order], again, [draws[k] for k in order])
    torch.testing.assert_close(turned, together[order], rtol=0, atol=1e-6)
    for k in (0, len(gone) // 2, len(gone) - 1):
        alone = occluded(x, gone[k : k + 1], again, [draws[k]])
        torch.testing.assert_close(alone, together[k : k + 1], rtol=0, atol=1e-6)


@each_imputer
def test_only_what_is_random_depends_on_the_draw_and_on_the_seed(imputer: str, shape: str):
    x = sample(shape)
    regions, gone = windows(x)
    made = IMPUTERS[imputer](x)
    fill = made.prepare(x, regions, None)
    first, second = (occluded(x, gone, fill, [draw] * len(gone)) for draw in (0, 1))
    assert torch.equal(first, second) is not made.random
    if hasattr(made, "seed") and imputer != "marginal":
        other = occluded(x, gone, replace(made, seed=7).prepare(x, regions, None), [0] * len(gone))
        assert not torch.equal(first, other)


@each_imputer
def test_two_samples_in_a_row_do_not_mix(imputer: str, shape: str):
    """shap's blur once gave picture A's blur for picture B: it was kept under the address of a temporary."""
    one, other = sample(shape), sample(shape, seed=1)
    regions, gone = windows(one)
    made = IMPUTERS[imputer](one)
    before = occluded(other, gone, made.prepare(other, regions, None), [0] * len(gone))
    made.prepare(one, regions, None)(gone, [0] * len(gone))
    fill = made.prepare(other, regions, None)
    assert torch.equal(occluded(other, gone, fill, [0] * len(gone)), before)


@each_imputer
def test_single_and_double_precision_agree(imputer: str, shape: str):
    fills = {}
    for dtype in (torch.float32, torch.float64):
        x = sample(shape, dtype=dtype)
        regions, gone = windows(x)
        fill = IMPUTERS[imputer](x).prepare(x, regions, None)
        fills[dtype] = occluded(x, gone, fill, [k % 2 for k in range(len(gone))])
    assert fills[torch.float64].dtype == torch.float64
    torch.testing.assert_close(fills[torch.float32], fills[torch.float64].float(), rtol=0, atol=2e-5)


@each_imputer
def test_nothing_of_the_callers_is_changed(imputer: str, shape: str):
    x = sample(shape)
    state, kept = torch.get_rng_state(), x.clone()
    regions, gone = windows(x)
    IMPUTERS[imputer](x).prepare(x, regions, None)(gone, list(range(len(gone))))
    assert torch.equal(state, torch.get_rng_state()) and torch.equal(x, kept)


@pytest.mark.parametrize("name", IMPUTERS)
def test_windows_alone_are_what_the_whole_fill_holds_there(name: str):
    x = sample("picture")
    regions, gone = windows(x, size=4, stride=3)
    inside = (regions.boxes[:, 1] - regions.boxes[:, 0] == 4).all(1)
    corners, gone = regions.boxes[inside, 0], gone[inside]
    draws = [k % 3 for k in range(len(gone))]
    fill = IMPUTERS[name](x).prepare(x, regions, None)
    filled = occluded(x, gone, fill, draws)
    patches = patched(fill, x, corners, (4, 4), draws)
    assert patches.shape == (len(gone), 3, 4, 4)
    for (top, left), patch, whole in zip(corners.tolist(), patches, filled, strict=True):
        assert torch.equal(patch, whole[:, top : top + 4, left : left + 4])


@pytest.mark.parametrize("name", IMPUTERS)
def test_every_imputer_serves_occlusion(name: str):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 3)).eval()
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(2)) * 0.1
    x = sample("picture")
    e = pl.explain(net, x, target=1, method=occlusion(window=4, imputer=IMPUTERS[name](x), draws=2))
    assert e.values.shape == x.shape and e.values.isfinite().all() and e.values.any()


# -- blur -----------------------------------------------------------------------------------------------------------------


def test_blur_is_a_mean_weighted_by_a_gaussian():
    x = sample("picture", dtype=torch.float64)
    content = blur(2.0).prepare(x, None, None)(torch.ones(1, 1, 16, 16), [0])
    for row, column in ((0, 0), (7, 3), (15, 8)):
        weights = torch.tensor([[np.exp(-((row - i) ** 2 + (column - j) ** 2) / 8) for j in range(16)] for i in range(16)])
        expected = (x[0] * weights).sum((1, 2)) / weights.sum()
        torch.testing.assert_close(content[0, :, row, column], expected)


@pytest.mark.parametrize(("side", "width"), [(224, 10.0), (80, 10.0), (32, 4.0), (16, 2.0)])
def test_blur_is_ten_pixels_wide_or_an_eighth_of_a_small_picture(side: int, width: float):
    x = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    gone = torch.ones(1, 1, side, side)
    assert torch.equal(*(made.prepare(x, None, None)(gone, [0]) for made in (blur(), blur(width))))


def test_blur_of_a_table_is_the_mean_of_its_row():
    x = sample("table")
    content = blur().prepare(x, None, None)(torch.ones(2, 12), [0, 0])
    assert torch.allclose(content, x.mean())


def test_blur_mixes_in_by_shares():
    x = sample("picture")
    fill = blur().prepare(x, None, None)
    full, half = (occluded(x, torch.full((1, 1, 16, 16), share), fill) for share in (1.0, 0.5))
    torch.testing.assert_close(half, (x + full) / 2)


# -- noise ----------------------------------------------------------------------------------------------------------------


def test_noise_has_the_statistics_of_each_channel():
    x = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0])[:, None, None] + 3
    fill = noise().prepare(x, None, None)
    drawn = fill(torch.ones(20, 1, 64, 64), list(range(20)))
    torch.testing.assert_close(drawn.mean((0, 2, 3)), x.mean((0, 2, 3)), rtol=0.02, atol=0)
    torch.testing.assert_close(drawn.std((0, 2, 3)), x.std((0, 2, 3)), rtol=0.02, atol=0)
    flat = noise("uniform").prepare(x, None, None)(torch.ones(20, 1, 64, 64), list(range(20)))
    assert torch.allclose(flat.amax((0, 2, 3)), x.amax((0, 2, 3)), rtol=1e-2)
    assert (flat <= x.amax((0, 2, 3), keepdim=True)).all() and (flat >= x.amin((0, 2, 3), keepdim=True)).all()


def test_an_unknown_noise_is_refused():
    with pytest.raises(InputError, match=r"noise\('pink'\).*normal or uniform"):
        noise("pink")


# -- means of segments ----------------------------------------------------------------------------------------------------


def test_segment_mean_is_the_mean_over_each_label_in_each_channel():
    x = sample("picture", dtype=torch.float64)
    labels = torch.randint(-1, 5, (1, 16, 16), generator=torch.Generator().manual_seed(3))
    content = segment_mean().prepare(x, Partition((1, 16, 16), labels), None)(torch.ones(1, 1, 16, 16), [0])
    for channel, label in product(range(3), range(-1, 5)):
        there = labels[0] == label
        expected = x[0, channel][there] if label < 0 else x[0, channel][there].mean().expand(int(there.sum()))
        torch.testing.assert_close(content[0, channel][there], expected)


def test_where_regions_overlap_segment_mean_is_the_mean_of_all_that_is_gone():
    x = sample("picture", dtype=torch.float64)
    regions, gone = windows(x, size=5, stride=2)
    filled = occluded(x, gone, segment_mean().prepare(x, regions, None))
    there = gone[3, 0]
    torch.testing.assert_close(filled[3][:, there], x[0][:, there].mean(1, keepdim=True).expand(-1, 25))


# -- other samples, and elsewhere -----------------------------------------------------------------------------------------


def test_marginal_takes_the_same_place_of_other_samples_each_once_before_any_comes_twice():
    x, others = torch.zeros(1, 3, 8, 8), torch.arange(1.0, 7.0).reshape(6, 1, 1, 1).expand(6, 3, 8, 8).contiguous()
    fill = marginal(others).prepare(x, None, None)
    drawn = fill(torch.ones(6, 1, 8, 8, dtype=torch.bool), list(range(6)))
    assert sorted(drawn[:, 0, 0, 0].tolist()) == [1, 2, 3, 4, 5, 6] != drawn[:, 0, 0, 0].tolist()
    ordered = marginal(others, shuffle=False).prepare(x, None, None)
    assert ordered(torch.ones(3, 1, 8, 8, dtype=torch.bool), [0, 1, 2])[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_marginal_does_not_take_the_sample_itself():
    others = torch.arange(4.0)[:, None].expand(4, 5).contiguous()
    fill = marginal(others).prepare(others[2:3], None, None)
    drawn = fill(torch.ones(4, 5, dtype=torch.bool), [0, 1, 2, 3])
    assert 2.0 not in drawn


def test_marginal_reads_pictures_as_the_model_does(tmp_path: Path):
    model = tiny(Preprocess((8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3)))
    rng = np.random.default_rng(0)
    for k in range(3):
        Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).save(tmp_path / f"{k}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    x = torch.zeros(1, 3, 8, 8)
    fill = marginal(tmp_path, shuffle=False).prepare(x, None, model)
    drawn = fill(torch.ones(3, 1, 8, 8, dtype=torch.bool), [0, 1, 2])
    assert torch.equal(drawn, torch.cat([model.read(tmp_path / f"{k}.png") for k in range(3)]))


def test_marginal_refuses_what_it_cannot_take_from(tmp_path: Path):
    with pytest.raises(InputError, match=r"nothing to choose from.*list of pictures"):
        marginal([])
    with pytest.raises(InputError, match=r"nothing to choose from"):
        marginal(tmp_path)
    with pytest.raises(InputError, match=r"samples of shape \(3, 4, 4\), and one of shape \(3, 8, 8\)"):
        marginal(torch.zeros(2, 3, 4, 4)).prepare(torch.zeros(1, 3, 8, 8), None, None)(torch.ones(1, 1, 8, 8), [0])


@pytest.mark.parametrize("shape", SHAPES)
def test_without_data_marginal_moves_the_sample_and_never_by_nothing(shape: str):
    x = sample(shape)
    fill = marginal().prepare(x, None, None)
    flat = (x if x.dim() > 2 else x[:, None]).flatten(2)
    for draw in range(40):
        moved = fill(torch.ones_like(x, dtype=torch.bool), [draw])
        assert not torch.equal(moved, x)
        assert torch.equal((moved if x.dim() > 2 else moved[:, None]).flatten(2).sort(2).values, flat.sort(2).values)


# -- statistics of patches ------------------------------------------------------------------------------------------------


def tiny(preprocess: Preprocess | None, channels: int = 3) -> Model:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2)).eval()
    return Model(net, "tiny", "nn.Module", net, preprocess)


def exact(lengths: tuple[float, ...], reach: int = 15, axes: int = 2, mix: float = 0.0) -> Statistics:
    """A field whose covariance falls off as exp(-|dy| / l - |dx| / l), with another l and another scale in every channel."""
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    covariance = torch.zeros(len(lengths), len(lengths), *[2 * reach + 1] * axes, dtype=torch.float64)
    shared = _falling(at, 4.0, axes)
    for c, length in enumerate(lengths):
        covariance[c, c] = (c + 1) ** 2 * _falling(at, length, axes)
    covariance += mix * shared
    mean = torch.arange(len(lengths), dtype=torch.float64)
    far = torch.full((len(lengths),), 1e3, dtype=torch.float64)
    return Statistics(mean, covariance, -far, far)


def _falling(at: Tensor, length: float, axes: int) -> Tensor:
    made = torch.ones((), dtype=torch.float64)
    for _ in range(axes):
        made = made[..., None] * torch.exp(-at.abs() / length)
    return made


def fields(lengths: tuple[float, ...], n: int, side: int) -> Tensor:
    """Pictures drawn from that field."""
    at = torch.arange(side, dtype=torch.float64)
    z = torch.randn(n, len(lengths), side, side, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for c, length in enumerate(lengths):
        factor = torch.linalg.cholesky(torch.exp(-(at[:, None] - at).abs() / length))
        z[:, c] = c + (c + 1) * factor @ z[:, c] @ factor.T
    return z


def test_statistics_are_those_of_all_pairs_at_a_distance():
    rng = torch.Generator().manual_seed(0)
    data = [torch.randn(2, 5, 7, generator=rng, dtype=torch.float64).cumsum(2) for _ in range(2)]
    average, covariance = _moments(sum(_products(picture, (2, 3)) for picture in data))
    everything = torch.cat([picture.flatten(1) for picture in data], 1)
    torch.testing.assert_close(average, everything.mean(1))
    for c, d, dy, dx in product(range(2), range(2), range(-2, 3), range(-3, 4)):
        pairs = [
            (picture[c, i, j] - average[c]) * (picture[d, i + dy, j + dx] - average[d])
            for picture in data for i in range(5) for j in range(7) if 0 <= i + dy < 5 and 0 <= j + dx < 7
        ]  # fmt: skip
        torch.testing.assert_close(covariance[c, d, dy + 2, dx + 3], torch.stack(pairs).mean())


def test_what_is_measured_of_few_pictures_is_a_covariance_all_the_same():
    known = shipped()
    places = torch.ones(14, 14).nonzero()
    joint = known.between(places, places).permute(0, 2, 1, 3).reshape(588, 588)
    torch.testing.assert_close(joint, joint.T, rtol=0, atol=1e-9)
    assert torch.linalg.eigvalsh(joint).min() > 0


def test_statistics_of_a_large_sample_are_those_it_was_drawn_from():
    lengths = 2.0, 5.0
    known, found = exact(lengths, reach=6), measured(fields(lengths, 400, 40), reach=6)
    assert found.reach == (6, 6) and found.channels == 2
    torch.testing.assert_close(found.mean, known.mean, rtol=0, atol=0.05)
    torch.testing.assert_close(found.covariance[0, 0], known.covariance[0, 0], rtol=0, atol=0.03)
    torch.testing.assert_close(found.covariance[1, 1], known.covariance[1, 1], rtol=0, atol=0.12)
    assert found.covariance[0, 1].abs().max() < 0.1


def test_a_small_sample_bounds_the_reach():
    assert measured([torch.rand(3, 9, 40), torch.rand(3, 30, 12)]).reach == (8, 11)


def test_statistics_of_nothing_are_refused():
    for given, said in (([], "no samples"), ([torch.zeros(3)], r"shape \(3,\)"), ([torch.zeros(3, 1, 1)], r"shape \(3, 1, 1\)")):
        with pytest.raises(InputError, match=rf"statistics of patches: found .*{said}"):
            measured(given)


def test_the_shipped_statistics_are_those_of_the_shipped_photographs():
    made, kept = photographs(), shipped()
    assert kept.pixels and kept.channels == 3 and kept.reach == (31, 31)
    torch.testing.assert_close(kept.mean, made.mean, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(kept.covariance, made.covariance, rtol=0, atol=1e-4)
    assert zoo.patch_statistics().stat().st_size < 200_000


def test_grey_is_measured_as_it_is_mixed():
    rng = torch.Generator().manual_seed(0)
    data = torch.rand(4, 3, 20, 20, generator=rng, dtype=torch.float64).cumsum(3)
    weights = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)
    grey = torch.einsum("gc,nchw->nghw", weights, data)
    mixed = Statistics(*_moments(sum(_products(x, (4, 4)) for x in data)), data.amin((0, 2, 3)), data.amax((0, 2, 3))).mixed(
        weights
    )
    average, covariance = _moments(sum(_products(x, (4, 4)) for x in grey))
    torch.testing.assert_close((mixed.mean, mixed.covariance), (average, covariance))


# -- conditional Gaussian -------------------------------------------------------------------------------------------------


def dense(known: Statistics, x: Tensor, gone: Tensor, frame: Tensor, full: bool) -> tuple[Tensor, Tensor]:
    """Mean (channel, m) and covariance of what is gone given what is known of a frame: one place against one place, in loops."""
    hole, around = gone.nonzero().tolist(), (frame & ~gone).nonzero().tolist()
    channels, covariance = known.channels, known.covariance.numpy()

    def between(a: list[Any], b: list[Any]) -> Tensor:
        table = torch.zeros(len(a), len(b), dtype=torch.float64)
        for (i, (c, p)), (j, (d, q)) in product(enumerate(a), enumerate(b)):
            lag = [known.reach[k] + q[k] - p[k] for k in range(len(p))]
            table[i, j] = covariance[(c, d, *lag)]
        return table

    groups = [list(range(channels))] if full else [[c] for c in range(channels)]
    means, covariances = [], []
    for group in groups:
        own, given = [(c, p) for c in group for p in hole], [(c, p) for c in group for p in around]
        weights = between(own, given) @ torch.linalg.inv(between(given, given))
        rest = torch.stack([x[(0, c, *p)] - known.mean[c] for c, p in given])
        means.append((weights @ rest).reshape(len(group), -1) + known.mean[group][:, None])
        covariances.append(between(own, own) - weights @ between(given, own))
    return torch.cat(means), torch.stack(covariances) if not full else covariances[0][None]


WHERE = {
    "inside": (4, 5), "top": (0, 6), "bottom": (9, 3), "left": (5, 0), "right": (2, 9), "top left": (0, 0), "top right": (0, 9),
    "bottom left": (9, 0), "bottom right": (9, 9),
}  # fmt: skip


@pytest.mark.parametrize("colour", ["each", "full"])
@pytest.mark.parametrize("where", WHERE)
def test_the_imputed_mean_is_the_analytic_one_in_all_nine_places(where: str, colour: str):
    known = exact((2.0, 5.0, 9.0), mix=0.5)
    x = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (top, left), size, margin = WHERE[where], 3, 2
    gone = torch.zeros(12, 12, dtype=torch.bool)
    gone[top : top + size, left : left + size] = True
    first = [min(max(corner - margin, 0), 12 - 7) for corner in (top, left)]  # the patch moves inwards at the border
    frame = torch.zeros(12, 12, dtype=torch.bool)
    frame[first[0] : first[0] + 7, first[1] : first[1] + 7] = True
    expected, _ = dense(known, x, gone, frame, colour == "full")
    fill = ConditionalGaussian(known, margin, colour, random=False).prepare(x, None, None)
    filled = fill(gone[None, None], [0])
    torch.testing.assert_close(filled[0][:, gone], expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("colour", ["each", "full"])
def test_draws_have_the_analytic_mean_and_covariance(colour: str):
    known = exact((2.0, 6.0), mix=0.5)
    x = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gone, frame = torch.zeros(2, 8, 8, dtype=torch.bool)
    gone[3:5, 2:4], frame[1:7, 0:6] = True, True
    average, covariance = dense(known, x, gone, frame, colour == "full")
    fill, n = ConditionalGaussian(known, 2, colour).prepare(x, None, None), 4000
    drawn = fill(gone[None, None].expand(n, -1, -1, -1), list(range(n)))[:, :, gone]
    rest = drawn - average
    torch.testing.assert_close(drawn.mean(0), average, rtol=0, atol=0.12)
    if colour == "full":
        torch.testing.assert_close(rest.flatten(1).T @ rest.flatten(1) / n, covariance[0], rtol=0, atol=0.25)
    else:
        torch.testing.assert_close(torch.einsum("nci,ncj->cij", rest, rest) / n, covariance, rtol=0, atol=0.25)


def test_channels_do_not_share_weights_unless_the_published_slip_is_asked_for():
    """The published code kept weights and covariance under a name without the channel: the first served all of them."""
    known = exact((1.0, 30.0))
    x = torch.randn(1, 2, 9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, 1] = x[:, 0] + 1  # equal about their means, which are 0 and 1
    gone = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    gone[..., 3:6, 3:6] = True
    each, first = (
        ConditionalGaussian(known, 2, colour, random=False).prepare(x, None, None)(gone, [0])[0][:, gone[0, 0]]
        - known.mean[:, None]
        for colour in ("each", "first")
    )
    assert (each[0] - each[1]).abs().max() > 0.1
    torch.testing.assert_close(first[0], first[1])
    torch.testing.assert_close(first[0], each[0])


def test_fitted_on_gaussian_data_it_imputes_the_analytic_mean():
    lengths = 2.0, 6.0
    data = fields(lengths, 400, 40)
    fitted = conditional_gaussian(data[1:], margin=2, reach=8)
    x, gone = data[:1], torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    gone[..., 10:14, 20:24] = True
    truth = ConditionalGaussian(exact(lengths), 2, random=False).prepare(x, None, None)(gone, [0])
    found = replace(fitted, random=False).prepare(x, None, None)(gone, [0])
    error = (found - truth)[0][:, gone[0, 0]]
    assert (error.square().mean(1).sqrt() < 0.03 * torch.tensor([1.0, 2.0])).all()


def test_holes_of_any_shape_are_filled_given_the_places_around():
    known = exact((3.0,))
    x = torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gone, frame = torch.zeros(12, 12, dtype=torch.bool), torch.zeros(12, 12, dtype=torch.bool)
    gone[4:7, 4], gone[6, 4:7], gone[4, 7] = True, True, True
    frame[2:9, 2:10] = True
    expected, _ = dense(known, x, gone, frame, False)
    filled = ConditionalGaussian(known, 2, random=False).prepare(x, None, None)(gone[None, None], [0])
    torch.testing.assert_close(filled[0][:, gone], expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("axes", [1, 3])
def test_signals_and_volumes_have_a_conditional_mean_too(axes: int):
    known = exact((3.0, 6.0), reach=6, axes=axes)
    x = torch.randn(1, 2, *[6] * axes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gone = torch.zeros([6] * axes, dtype=torch.bool)
    gone[(slice(1, 3),) * axes] = True
    frame = torch.zeros_like(gone)
    frame[(slice(0, 4),) * axes] = True
    expected, _ = dense(known, x, gone, frame, False)
    filled = ConditionalGaussian(known, 1, random=False).prepare(x, None, None)(gone[None, None], [0])
    torch.testing.assert_close(filled[0][:, gone], expected, rtol=0, atol=1e-8)


def test_where_everything_is_gone_it_is_a_draw_that_knows_nothing():
    known = exact((2.0,))
    x = torch.full((1, 1, 5, 5), 7.0, dtype=torch.float64)
    fill = ConditionalGaussian(known).prepare(x, None, None)
    drawn = fill(torch.ones(500, 1, 5, 5, dtype=torch.bool), list(range(500)))
    assert drawn.mean().abs() < 0.1 and abs(float(drawn.var()) - 1) < 0.1


def test_draws_stay_in_the_range_of_the_data():
    known = exact((2.0,))
    narrow = Statistics(known.mean, known.covariance, known.low * 0 - 0.5, known.high * 0 + 0.25)
    x = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    gone = torch.zeros(50, 1, 9, 9, dtype=torch.bool)
    gone[..., 2:7, 2:7] = True
    drawn = ConditionalGaussian(narrow).prepare(x, None, None)(gone, list(range(50)))[gone]
    assert drawn.min() == -0.5 and drawn.max() == 0.25


def test_the_shipped_statistics_serve_any_preprocessing():
    pixels = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gone = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    gone[..., 5:15, 5:15] = True
    back = []
    for mean_, std in (((0.0,) * 3, (1.0,) * 3), ((0.485, 0.456, 0.406), (0.2, 0.3, 0.1))):
        preprocess = Preprocess((20, 20), mean=mean_, std=std)
        low, high = preprocess.bounds()
        x = low + (high - low).double() * pixels
        filled = conditional_gaussian().prepare(x, None, tiny(preprocess))(gone, [3])
        back.append((filled - low) / (high - low))
    torch.testing.assert_close(back[0], back[1], rtol=0, atol=1e-6)
    assert back[0].min() >= 0 and back[0].max() <= 1


def test_without_preprocessing_mean_and_spread_are_the_samples_own():
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64).cumsum(3)
    gone = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    gone[..., 5:15, 5:15] = True
    plain, moved = (conditional_gaussian().prepare(y, None, None)(gone, [1]) for y in (x, 100 + 7 * x))
    torch.testing.assert_close(moved, 100 + 7 * plain)


def test_a_picture_of_one_colour_stays_so():
    x = torch.full((1, 3, 16, 16), 0.3)
    gone = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    gone[..., :4] = False
    torch.testing.assert_close(conditional_gaussian().prepare(x, None, None)(gone, [0]), x)


def test_statistics_of_a_folder_are_those_of_its_pictures_as_the_model_sees_them(tmp_path: Path):
    rng = np.random.default_rng(0)
    for k in range(3):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(tmp_path / f"{k}.png")
    model = tiny(Preprocess((20, 20), mean=(0.5,) * 3, std=(0.25,) * 3))
    fitted = conditional_gaussian(tmp_path, model, reach=4)
    own = measured(
        [torch.from_numpy(np.array(Image.open(p))).permute(2, 0, 1) / 255 for p in sorted(tmp_path.iterdir())], reach=4
    )
    assert fitted.statistics.pixels
    torch.testing.assert_close(fitted.statistics.covariance, own.covariance, rtol=0, atol=1e-6)
    with pytest.raises(InputError, match=r"3 pictures and no model.*Pass model="):
        conditional_gaussian(tmp_path)


def test_statistics_come_back_from_a_file(tmp_path: Path):
    made = measured(torch.rand(3, 2, 9, 9, generator=torch.Generator().manual_seed(0)), reach=3, pixels=True)
    back = Statistics.load(made.save(tmp_path / "patches.safetensors"))
    assert back.pixels
    for name in ("mean", "covariance", "low", "high"):
        torch.testing.assert_close(getattr(back, name), getattr(made, name), rtol=1e-6, atol=1e-7)


def test_what_a_conditional_gaussian_cannot_do_is_said():
    x = torch.rand(1, 3, 64, 64)
    wide, odd = torch.ones(1, 1, 64, 64, dtype=torch.bool), torch.zeros(1, 3, 64, 64, dtype=torch.bool)
    odd[:, 0, 4:8, 4:8] = True
    fill = conditional_gaussian().prepare(x, None, None)
    with pytest.raises(InputError, match=r"over 64 x 64 places: found statistics of patches of 32 x 32.*noisy_linear"):
        fill(wide, [0])
    with pytest.raises(InputError, match=r"masks that differ between the channels"):
        fill(odd, [0])
    with pytest.raises(InputError, match=r"over 3 channels and 2 axes: found a sample of shape \(4, 64\)"):
        conditional_gaussian().prepare(torch.rand(1, 4, 64), None, None)
    with pytest.raises(InputError, match=r"margin=0"):
        conditional_gaussian(margin=0)


# -- noisy linear ---------------------------------------------------------------------------------------------------------

FROZEN = np.load(Path(__file__).parent / "golden" / "noisy_linear.npz")
MASKS = [key.removesuffix("/missing") for key in FROZEN.files if key.endswith("/missing")]


@pytest.mark.parametrize("name", MASKS)
def test_noisy_linear_without_noise_is_the_direct_solution(name: str):
    x, gone = torch.from_numpy(FROZEN["picture"])[None], torch.from_numpy(FROZEN[f"{name}/missing"])[None, None]
    filled = occluded(x, gone, noisy_linear(noise=0).prepare(x, None, None), [0])
    torch.testing.assert_close(filled[0], torch.from_numpy(FROZEN[f"{name}/solved"]), rtol=0, atol=1e-4)


def test_noisy_linear_solves_all_masks_at_once_as_it_solves_each():
    x = torch.from_numpy(FROZEN["picture"])[None]
    gone = torch.stack([torch.from_numpy(FROZEN[f"{name}/missing"])[None] for name in MASKS])
    fill = noisy_linear(noise=0).prepare(x, None, None)
    together = occluded(x, gone, fill, [0] * len(gone))
    for k in range(len(gone)):
        torch.testing.assert_close(occluded(x, gone[k : k + 1], fill, [0])[0], together[k], rtol=0, atol=2e-6)


@pytest.mark.parametrize("shape", ["signal", "picture", "volume"])
def test_noisy_linear_makes_every_missing_place_the_mean_of_its_neighbours(shape: str):
    x = sample(shape, dtype=torch.float64)
    gone = torch.rand(1, 1, *x.shape[2:], generator=torch.Generator().manual_seed(1)) < 0.6
    filled = occluded(x, gone, noisy_linear(noise=0, tolerance=1e-10).prepare(x, None, None), [0])
    axes = x.dim() - 2
    for place in gone[0, 0].nonzero().tolist():
        total, weights = torch.zeros(x.shape[1], dtype=torch.float64), 0.0
        for step in product((-1, 0, 1), repeat=axes):
            other = [p + s for p, s in zip(place, step, strict=True)]
            if any(step) and all(0 <= o < side for o, side in zip(other, x.shape[2:], strict=True)):
                weight = 2.0 ** sum(s == 0 for s in step)
                total += weight * filled[(0, slice(None), *other)]
                weights += weight
        torch.testing.assert_close(filled[(0, slice(None), *place)], total / weights, rtol=0, atol=1e-7)


def test_noisy_linear_adds_a_hundredth_of_noise():
    x, gone = torch.zeros(1, 3, 16, 16), torch.ones(200, 1, 16, 16, dtype=torch.bool)
    gone[..., 0] = False
    fill = noisy_linear().prepare(x, None, None)
    drawn = occluded(x, gone, fill, list(range(200)))
    assert float(drawn[..., 1:].std()) == pytest.approx(0.01, rel=0.02)
    assert torch.equal(drawn[5, ..., 1:], 0.01 * normal((1, 3, 16, 16), draw_generator(0, 5)).float()[0, ..., 1:])


def test_noisy_linear_of_a_table_is_the_mean_of_what_is_left():
    x = torch.tensor([[1.0, 2.0, 6.0, 100.0]])
    gone = torch.tensor([[False, False, False, True], [True, True, True, True]])
    filled = occluded(x, gone, noisy_linear(noise=0).prepare(x, None, None), [0, 0])
    assert filled.tolist() == [[1, 2, 6, 3], [27.25] * 4]


def test_noisy_linear_and_blur_refuse_settings_without_meaning():
    with pytest.raises(InputError, match=r"noise=-1"):
        noisy_linear(noise=-1)
    with pytest.raises(InputError, match=r"sigma=0"):
        blur(0)


def test_per_channel_masks_are_solved_channel_by_channel():
    x = sample("picture", dtype=torch.float64)
    gone = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) < 0.5
    fill = noisy_linear(noise=0, tolerance=1e-10).prepare(x, None, None)
    filled = occluded(x, gone, fill, [0])
    for c in range(3):
        alone = occluded(x, gone[:, c : c + 1], fill, [0])
        torch.testing.assert_close(filled[:, c], alone[:, c], rtol=0, atol=1e-8)
