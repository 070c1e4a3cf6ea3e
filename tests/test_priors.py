"""Priors: each against a slow twin written from its paper, with plain loops, for inputs of any layout."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.core.blur import blurred
from pellucid.errors import MethodError
from pellucid.synth.frame import Frame
from pellucid.synth.prior import (
    L2,
    AlphaNorm,
    Ball,
    BatchNorm,
    Blur,
    Centre,
    Decay,
    Diversity,
    Gradients,
    Inside,
    SmallContribution,
    SmallNorm,
    TotalVariation,
)
from pellucid.synth.protocols import Penalty, Projection

SHAPES = [(3, 8, 8), (1, 28, 28), (5, 6, 9), (2, 64), (12,), (1, 3, 4, 5)]
PENALTIES: list[Any] = [L2(0.7), AlphaNorm(0.7), TotalVariation(0.7), TotalVariation(0.7, beta=1.0), Gradients(0.7), Centre(0.7)]
PROJECTIONS: list[Any] = [Ball(2.0), Decay(0.2), Blur(0.8), SmallNorm(40), SmallContribution(60), Inside(0.2)]
SPATIAL = (TotalVariation, Gradients, Blur)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: f"{type(p).__name__}{getattr(p, 'beta', '')}")
each_projection = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: type(p).__name__)


def framed(*shape: int) -> Frame:
    """Bounds -1 and 3: what the network calls zero is 0.25."""
    return Frame(shape, torch.tensor(-1.0), torch.tensor(3.0), dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fits(prior: Any, shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 or not isinstance(prior, SPATIAL)


# -- all of them ---------------------------------------------------------------------------------------------------------------


@each_penalty
@each_shape
def test_a_penalty_is_one_number_per_picture_whatever_stands_beside_it(penalty, shape):
    if not fits(penalty, shape):
        return
    x, frame = noise(3, *shape).requires_grad_(), framed(*shape)
    found = penalty(x, frame, {})
    assert isinstance(penalty, Penalty) and not isinstance(penalty, Projection) and found.shape == (3,)
    torch.testing.assert_close(found[1:2], penalty(x[1:2], frame, {}))
    assert torch.autograd.grad(found[1], x)[0][[0, 2]].abs().sum() == 0


@each_penalty
def test_the_picture_the_network_calls_zero_costs_nothing_and_has_a_finite_slope(penalty):
    frame = framed(2, 5, 5)
    x = frame.mean.expand(2, -1, -1, -1).clone().requires_grad_()
    cost = penalty(x, frame, {})
    assert cost.abs().max() < 0.01 and torch.autograd.grad(cost.sum(), x)[0].isfinite().all()


@each_projection
@each_shape
def test_a_projection_does_to_a_picture_what_it_does_to_it_alone(projection, shape):
    if not fits(projection, shape):
        return
    x, before, slope = noise(3, *shape), noise(3, *shape, seed=1), noise(3, *shape, seed=2) - 0.5
    kept = x.clone()
    found = projection.after(x, before, slope, 0, framed(*shape))
    assert isinstance(projection, Projection) and found.shape == x.shape and torch.equal(x, kept)
    torch.testing.assert_close(found[1:2], projection.after(x[1:2], before[1:2], slope[1:2], 0, framed(*shape)))


@pytest.mark.parametrize("prior", [TotalVariation(), Gradients()], ids=lambda p: type(p).__name__)
def test_columns_of_a_table_have_no_neighbours(prior):
    with pytest.raises(MethodError, match=r"inputs of shape \(12,\), without spatial axes; .* Leave it out; L2"):
        prior(noise(2, 12), framed(12), {})
    with pytest.raises(MethodError, match=r"Blur: found inputs of shape \(12,\)"):
        Blur(1.0).after(noise(2, 12), noise(2, 12), noise(2, 12), 0, framed(12))


# -- penalties -----------------------------------------------------------------------------------------------------------------


@each_shape
@pytest.mark.parametrize("alpha", [2.0, 6.0])
def test_norms_are_sums_of_powers(shape, alpha):
    x = noise(2, *shape)
    wanted = [sum(abs(v - 0.25) ** alpha for v in row.flatten().tolist()) for row in x]
    torch.testing.assert_close(AlphaNorm(alpha=alpha)(x, framed(*shape), {}), torch.tensor(wanted, dtype=torch.float64))
    if alpha == 2:
        torch.testing.assert_close(L2()(x, framed(*shape), {}), torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("shape", [(2, 4, 5), (1, 6), (1, 2, 3, 4)], ids=str)
def test_total_variation_goes_from_pixel_to_pixel(shape, beta):
    x, total = noise(*shape), 0.0
    for c, *place in product(*(range(side) for side in shape)):
        square = 0.0
        for axis in range(len(place)):
            if place[axis] + 1 < shape[axis + 1]:
                beyond = [p + (a == axis) for a, p in enumerate(place)]
                square += (x[(c, *beyond)].item() - x[(c, *place)].item()) ** 2
        total += square ** (beta / 2)
    found = TotalVariation(beta=beta)(x[None], framed(*shape), {}).item()
    assert math.isclose(found, total, rel_tol=1e-2 if beta == 1 else 1e-4)


def test_gradients_are_lengths_of_four_differences():
    x = noise(3, 5, 6)
    pairs: list[list[float]] = [[], [], [], []]
    for c, i, j in product(range(3), range(5), range(6)):
        for way, (di, dj) in enumerate([(0, 1), (1, 0), (1, 1), (1, -1)]):
            if i + di < 5 and 0 <= j + dj < 6:
                pairs[way].append((x[c, i, j] - x[c, i + di, j + dj]).item() ** 2)
    wanted = sum(math.sqrt(sum(way)) for way in pairs)
    assert math.isclose(Gradients()(x[None], framed(3, 5, 6), {}).item(), wanted, rel_tol=1e-6)


def test_centre_weighs_by_squared_distance():
    x, total = noise(2, 5, 7), 0.0
    for c, i, j in product(range(2), range(5), range(7)):
        distance = math.hypot((i - 2) / 2, (j - 3) / 3) / math.sqrt(2)
        total += distance**2 * (x[c, i, j].item() - 0.25) ** 2
    assert math.isclose(Centre()(x[None], framed(2, 5, 7), {}).item(), total, rel_tol=1e-6)


def test_diversity_is_the_mean_over_pictures_of_likeness_to_the_others():
    features = noise(4, 3, 5, 5)
    prior = Diversity("layer", weight=1.0)
    grams = []
    for f in features:
        flat = f.flatten(1)
        gram = torch.stack([torch.stack([(a * b).sum() for b in flat]) for a in flat])
        grams.append(gram / gram.norm())
    wanted = sum(sum((grams[i] * grams[j]).sum() for j in range(4) if j != i) for i in range(4)) / 4
    found = prior(noise(4, 1, 2, 2), framed(1, 2, 2), {"layer": features})
    torch.testing.assert_close(found.sum(), wanted)

    paired = Diversity("layer", weight=1.0, group=2)(noise(4, 1, 2, 2), framed(1, 2, 2), {"layer": features})
    alone = prior(noise(2, 1, 2, 2), framed(1, 2, 2), {"layer": features[2:]})
    torch.testing.assert_close(paired[2:], alone)
    with pytest.raises(MethodError, match=r"found 4 pictures; they cannot be divided into groups of that size"):
        Diversity("layer", group=3)(noise(4, 1, 2, 2), framed(1, 2, 2), {"layer": features})


def test_diversity_looks_at_all_views_of_a_picture_at_once():
    features = noise(4, 3, 5, 5)  # of two pictures, two views each
    beside = torch.cat([features[[0, 2]], features[[1, 3]]], 3)
    many = Diversity("layer")(noise(2, 1, 2, 2), framed(1, 2, 2), {"layer": features})
    torch.testing.assert_close(many, Diversity("layer")(noise(2, 1, 2, 2), framed(1, 2, 2), {"layer": beside}))


def normed(*, affine: bool = True) -> nn.Sequential:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, affine=affine), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in (net[1], net[4]):
            layer.running_mean.normal_(generator=rng)
            layer.running_var.uniform_(0.5, 2, generator=rng)
            for part in layer.parameters():
                part.uniform_(0.5, 1.5, generator=rng)
        for layer in (net[0], net[3]):
            for part in layer.parameters():
                part.normal_(generator=rng)
    return net.double().eval()


def seen(net: nn.Sequential, x: Tensor) -> tuple[dict[str | None, Tensor], list[Tensor]]:
    """What the batch norms return, and what they take."""
    outputs, inputs = {}, []
    for name, layer in net.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            inputs.append(x)
        x = layer(x)
        if isinstance(layer, nn.BatchNorm2d):
            outputs[name] = x
    return outputs, inputs


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_batch_norm_statistics_are_those_of_what_the_layers_take(affine, together):
    net, x = normed(affine=affine), noise(4, 2, 9, 9)  # two pictures, two views each
    values, inputs = seen(net, x)
    found = BatchNorm.of(net, first=10, together=together)(noise(2, 2, 9, 9), framed(2, 9, 9), values)
    wanted = []
    for rows in [slice(0, 4), slice(0, 4)] if together else [slice(0, 2), slice(2, 4)]:
        total = 0.0
        for k, (layer, z) in enumerate(zip((net[1], net[4]), inputs, strict=True)):
            means, variances = [], []
            for c in range(z.shape[1]):
                entries = z[rows, c].flatten()
                means.append(entries.mean() - layer.running_mean[c])
                variances.append(((entries - entries.mean()) ** 2).mean() - layer.running_var[c])
            total += (10 if k == 0 else 1) * (torch.stack(means).norm() + torch.stack(variances).norm())
        wanted.append(total / (2 if together else 1))
    torch.testing.assert_close(found, torch.stack(wanted))


def test_a_channel_that_a_batch_norm_scales_by_zero_tells_nothing():
    net, x = normed(), noise(2, 2, 9, 9)
    with torch.no_grad():
        net[4].weight[1] = 0
    values, _ = seen(net, x)
    found = BatchNorm.of(net)(x, framed(2, 9, 9), values)
    assert found.isfinite().all()


def test_a_network_without_batch_norm_remembers_nothing():
    with pytest.raises(MethodError, match=r"none in Sequential; a network without batch norm holds no statistics"):
        BatchNorm.of(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)))


# -- projections ---------------------------------------------------------------------------------------------------------------


def test_a_ball_gives_every_picture_its_length():
    x, frame = noise(4, 3, 5, 5), framed(3, 5, 5)
    lengths = (Ball(1.5).after(x, x, x, 0, frame) - 0.25).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((4,), 1.5, dtype=torch.float64))
    short = 0.25 + 0.01 * (x - 0.25)
    torch.testing.assert_close(Ball(1.5, inside=True).after(short, x, x, 0, frame), short)
    assert torch.equal(Ball(1.0).after(frame.mean, x, x, 0, frame), frame.mean)  # has no direction to be long in
    typical = (x - 0.25).flatten(1).norm(dim=1).mean().item()
    assert math.isclose(Ball.of(x, frame).radius, typical, rel_tol=1e-6)
    with pytest.raises(MethodError, match=r"Ball\(radius=0\): found no length"):
        Ball(0)


def test_decay_goes_back_to_what_the_network_calls_zero():
    x = noise(2, 12)
    torch.testing.assert_close(Decay(0.3).after(x, x, x, 0, framed(12)), 0.25 + 0.7 * (x - 0.25))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(2, 7, 9), (1, 20), (1, 3, 4, 5)], ids=str)
def test_blur_is_a_weighted_mean_of_mirrored_neighbours(shape, sigma):
    x = noise(1, *shape)
    wanted = x[0]
    reach = int(4 * sigma + 0.5)
    bell = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-reach, reach + 1)]
    for axis in range(1, len(shape)):
        lines, side = wanted.movedim(axis, -1), shape[axis]
        made = torch.zeros_like(lines)
        for place in range(side):
            for k in range(-reach, reach + 1):
                there = (place + k) % (2 * side)
                there = there if there < side else 2 * side - 1 - there  # d c b a | a b c d | d c b a
                made[..., place] += bell[k + reach] / sum(bell) * lines[..., there]
        wanted = made.movedim(-1, axis)
    torch.testing.assert_close(blurred(x, sigma, "mirror")[0], wanted)


def test_blur_comes_every_so_many_steps():
    x, frame = noise(1, 1, 6, 6), framed(1, 6, 6)
    changed = [not torch.equal(Blur(1.0, every=4).after(x, x, x, step, frame), x) for step in range(9)]
    assert changed == [True, False, False, False, True, False, False, False, True]


def percentile(values: list[float], percent: float) -> float:
    """As NumPy's, straight between ranks."""
    ranked, place = sorted(values), percent / 100 * (len(values) - 1)
    low = int(place)
    return ranked[low] + (place - low) * (ranked[min(low + 1, len(ranked) - 1)] - ranked[low])


@pytest.mark.parametrize("percent", [0, 37, 50, 90, 100])
@pytest.mark.parametrize("kind", ["norm", "contribution"])
def test_small_pixels_are_emptied_by_rank(percent, kind):
    x, g = noise(1, 3, 4, 5), noise(1, 3, 4, 5, seed=3) - 0.5
    sizes = {}
    for i, j in product(range(4), range(5)):
        away = [(x[0, c, i, j] - 0.25).item() for c in range(3)]
        slope = [g[0, c, i, j].item() for c in range(3)]
        sizes[i, j] = math.hypot(*away) if kind == "norm" else abs(sum(-a * s for a, s in zip(away, slope, strict=True)))
    least = percentile(list(sizes.values()), percent)
    wanted = x.clone()
    for (i, j), size in sizes.items():
        if size < least - 1e-12:
            wanted[0, :, i, j] = 0.25
    prior = SmallNorm(percent) if kind == "norm" else SmallContribution(percent)
    found = prior.after(x, noise(1, 3, 4, 5, seed=4), g, 0, framed(3, 4, 5))
    torch.testing.assert_close(found, wanted)
    assert round((found == 0.25).all(1).double().mean().item() * 20) == int(percent / 100 * 19 + 0.999)


def test_columns_of_a_table_are_pixels_each():
    x = torch.tensor([[0.2, 0.9, 0.25, 0.6]], dtype=torch.float64)
    assert SmallNorm(50).after(x, x, x, 0, framed(4)).tolist() == [[0.25, 0.9, 0.25, 0.6]]


def test_inside_leaves_a_margin_as_it_was():
    x, before = noise(1, 2, 10, 5), noise(1, 2, 10, 5, seed=1)
    found = Inside(0.2).after(x, before, x, 0, framed(2, 10, 5))
    assert torch.equal(found[..., 2:8, 1:4], x[..., 2:8, 1:4])
    margin = torch.ones(10, 5, dtype=torch.bool)
    margin[2:8, 1:4] = False
    assert torch.equal(found[..., margin], before[..., margin])
