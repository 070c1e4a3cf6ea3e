"""Robustness: random views of pictures, against slow twins, for inputs of any layout and size."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from pellucid.errors import MethodError
from pellucid.synth.protocols import Robustness
from pellucid.synth.random import generators
from pellucid.synth.robust import Robust, sample_views

SHAPES = [(3, 8, 8), (1, 28, 28), (5, 16, 24), (2, 64), (12,), (1, 4, 6, 8)]
FULL = Robust(
    views=3, jitter=0.2, scale=(0.8, 1.3), rotate=20.0, crop=(0.9, 0.5), crop_spread=0.05, flip=True, colour=(0.3, 0.5),
    noise=(0.2, 0.0), tint=0.1, over=10,
)  # fmt: skip
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# -- laws ----------------------------------------------------------------------------------------------------------------------


@each_shape
def test_views_are_shaped_like_pictures_and_pass_gradients(shape):
    x = pictures(2, *shape).requires_grad_()
    views = FULL(x, generators([0, 1]), step=3)
    assert isinstance(FULL, Robustness) and views.shape == (6, *shape) and views.dtype == x.dtype
    slope = torch.autograd.grad(views[:3].sum(), x)[0]
    assert slope[0].abs().sum() > 0 and slope[1].abs().sum() == 0  # the views of a picture stand together


@each_shape
def test_a_picture_gets_the_draws_it_gets_alone(shape):
    x = pictures(3, *shape)
    batch, alone = generators([4, 5, 6]), generators([5])
    for step in range(3):
        many, one = FULL(x, batch, step), FULL(x[1:2], alone, step)
        torch.testing.assert_close(many[3:6], one, rtol=0, atol=1e-12)


def test_seeds_and_steps_draw_anew_and_again():
    x = pictures(1, 3, 8, 8)
    draws = generators([0])
    first, second = FULL(x, draws, 0), FULL(x, draws, 0)
    assert not torch.equal(first, second) and torch.equal(first, FULL(x, generators([0]), 0))
    assert not torch.equal(first[0], first[1]) and not torch.equal(first, FULL(x, generators([1]), 0))


@each_shape
def test_nothing_asked_for_changes_nothing(shape):
    x = pictures(2, *shape)
    assert torch.equal(Robust.none()(x, generators([0, 1]), 0), x)
    assert torch.equal(Robust(views=2)(x, generators([0, 1]), 0), x.repeat_interleave(2, 0))


def test_the_columns_of_a_table_only_get_noise():
    x = pictures(2, 12)
    still = Robust(views=2, jitter=0.3, scale=(0.5, 2.0), rotate=90, crop=0.4, flip=True)
    assert torch.equal(still(x, generators([0, 1]), 0), x.repeat_interleave(2, 0))
    assert (FULL(x, generators([0, 1]), 0) - x.repeat_interleave(3, 0)).abs().min() > 0


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    FULL(pictures(2, 3, 8, 8), generators([0, 1]), 0)
    assert torch.equal(before, torch.random.get_rng_state())


# -- the sampling --------------------------------------------------------------------------------------------------------------


def slow(picture: Tensor, turn: Tensor, shift: Tensor, edge: float | str) -> Tensor:
    """A view of a plane, pixel by pixel: straight lines between the four pixels around where each is read."""
    _, height, width = picture.shape
    view = torch.zeros_like(picture)
    for i in range(height):
        for j in range(width):
            at = turn @ torch.tensor([i - (height - 1) / 2, j - (width - 1) / 2], dtype=torch.float64) + shift
            y, x = at[0].item() + (height - 1) / 2, at[1].item() + (width - 1) / 2
            for row in (math.floor(y), math.floor(y) + 1):
                for column in (math.floor(x), math.floor(x) + 1):
                    share = (1 - abs(y - row)) * (1 - abs(x - column))
                    view[:, i, j] += share * looked_up(picture, row, column, edge)
    return view


def looked_up(picture: Tensor, row: int, column: int, edge: float | str) -> Tensor:
    _, height, width = picture.shape
    if edge == "wrap":
        return picture[:, row % height, column % width]
    if 0 <= row < height and 0 <= column < width:
        return picture[:, row, column]
    return torch.full((len(picture),), float(edge), dtype=picture.dtype)


@pytest.mark.parametrize("edge", [0.5, 0.0, "wrap"])
@pytest.mark.parametrize("shape", [(2, 6, 6), (1, 5, 8)], ids=str)
def test_all_views_in_one_sampling_are_what_loops_give(edge, shape):
    x = pictures(2, *shape)
    rng = torch.Generator().manual_seed(1)
    turns = torch.eye(2) + 0.4 * torch.randn(2, 3, 2, 2, generator=rng)
    shifts = 2 * torch.randn(2, 3, 2, generator=rng)
    found = sample_views(x, torch.cat([turns, shifts[..., None]], -1), edge)
    wanted = [slow(x[n], turns[n, v].double(), shifts[n, v].double(), edge) for n in range(2) for v in range(3)]
    torch.testing.assert_close(found, torch.stack(wanted), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 20), (2, 64), (1, 4, 6, 8)], ids=str)
def test_jitter_alone_moves_by_whole_pixels(shape):
    x, robust = pictures(1, *shape), Robust(views=40, jitter=0.25, edge="wrap")
    axes, seen = tuple(range(1, len(shape))), set()
    for view in robust(x, generators([0]), 0):
        rolls = torch.cartesian_prod(*(torch.arange(-round(side / 4), round(side / 4) + 1) for side in shape[1:])).reshape(
            -1, len(axes)
        )
        close = [tuple(r) for r in rolls.tolist() if torch.allclose(view, x[0].roll(r, axes), rtol=0, atol=1e-4)]
        assert len(close) == 1
        seen.add(close[0])
    assert len(seen) > 12


def test_28_pixels_and_224_are_jittered_and_scaled_alike():
    def slope(side: int, robust: Robust) -> Tensor:
        ramp = torch.linspace(-1, 1, side, dtype=torch.float64)
        view = robust(ramp.expand(1, 1, side, side), generators([3]), 0)[0, 0]
        middle = view[side // 2 - side // 4 : side // 2 + side // 4 : side // 28, :]
        return middle[:, side // 2 - side // 4 : side // 2 + side // 4 : side // 28][:14, :14]

    robust = Robust(jitter=0.15, scale=(0.7, 1.3), rotate=15, edge="border")
    assert (slope(28, robust) - slope(224, robust)).abs().max() < 0.12


def test_a_crop_is_a_part_enlarged():
    x = torch.linspace(0, 1, 40, dtype=torch.float64).expand(1, 1, 40, 40)
    views = Robust(views=50, crop=0.5)(x, generators([0]), 0)[:, 0, 5]
    widths, lows = views[:, -2] - views[:, 1], views[:, 1]
    torch.testing.assert_close(widths, torch.full_like(widths, 0.5 * 37 / 39), rtol=0, atol=1e-6)
    assert lows.min() < 0.05 and lows.max() > 0.45  # it may lie anywhere inside


def test_crops_with_a_centre_lie_around_it():
    x = torch.linspace(0, 1, 40, dtype=torch.float64).expand(1, 1, 40, 40)
    middle = Robust(views=200, crop=0.3, centre_spread=0.05)(x, generators([0]), 0)[:, 0, 5].mean(1)
    assert abs(middle.mean() - 0.5) < 0.02 and abs(middle.std() - 0.05) < 0.01


def test_half_of_the_views_are_mirrored():
    x = pictures(1, 1, 4, 6)
    views = Robust(views=200, flip=True)(x, generators([0]), 0)
    mirrored = [torch.allclose(view, x[0].flip(-1), atol=1e-5) for view in views]
    straight = [torch.allclose(view, x[0], atol=1e-5) for view in views]
    assert all(m or s for m, s in zip(mirrored, straight, strict=True)) and 70 < sum(mirrored) < 130


def test_angles_run_to_both_sides():
    robust, sides = Robust(views=300, rotate=30.0), 21
    spot = torch.zeros(1, 1, sides, sides, dtype=torch.float64)
    spot[..., 10, 18] = 1.0  # straight to the right of the middle
    grid = torch.arange(sides, dtype=torch.float64) - 10
    views = robust(spot, generators([0]), 0)[:, 0]
    y, x = (views.sum(2) * grid).sum(1) / views.sum((1, 2)), (views.sum(1) * grid).sum(1) / views.sum((1, 2))
    angles = torch.atan2(y, x).rad2deg()
    assert -31 < angles.min() < -27 and 27 < angles.max() < 31 and abs(angles.mean()) < 3


# -- colour and noise ----------------------------------------------------------------------------------------------------------


def test_colours_are_shifted_and_scaled_by_channel():
    x = pictures(1, 3, 16, 16)
    views = Robust(views=400, colour=(1.0, 1.0))(x, generators([0]), 0)
    gain = views.flatten(2).std(2) / x.flatten(2).std(2)
    mean = x.flatten(2).mean(2) - views.flatten(2).mean(2) / gain
    assert gain.log().min() > -1.01 and gain.log().max() < 1.01 and gain.log().std() > 0.5
    assert mean.min() > -1.01 and mean.max() < 1.01 and abs(mean.mean()) < 0.05
    torch.testing.assert_close(views / gain[..., None, None] + mean[..., None, None], x.expand(400, -1, -1, -1))


@pytest.mark.parametrize("shape", [(3, 32, 32), (64,)], ids=str)
def test_noise_fades_along_a_straight_line(shape):
    x = pictures(1, *shape)
    for step, wanted in ((0, 0.4), (4, 0.2), (8, 0.0), (20, 0.0)):
        added = Robust(views=50, noise=(0.4, 0.0), over=9)(x, generators([0]), step) - x
        assert abs(added.std() - wanted) < 0.02
    tint = Robust(views=50, tint=0.3)(x, generators([0]), 0) - x
    assert tint.flatten(2).std(2).max() < 1e-6 if len(shape) > 1 else abs(tint.std() - 0.3) < 0.05


def test_settings_that_cannot_be_are_refused():
    bad: list[tuple[str, Any, str]] = [
        ("views", 0, "there is one at least"), ("jitter", 2.0, "a share of a side"), ("crop", 0.0, "a share of a side"),
        ("scale", (0.1, 1.0), "0.5 or more"), ("scale", (1.2, 1.1), "to the greatest"), ("over", 0, "one step at least"),
        ("edge", "mirror", "a number or one of border, reflect, wrap"),
    ]  # fmt: skip
    for name, value, why in bad:
        with pytest.raises(MethodError) as refused:
            Robust(**{name: value})
        said = str(refused.value)
        assert said.startswith(f"Robust: found {name}={value!r}; ") and why in said
        assert said.endswith("Correct it, or take Robust.standard().")
