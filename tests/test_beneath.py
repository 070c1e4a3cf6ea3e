"""The picture beneath a map whose input was given as a tensor: undone from the model's preprocessing, or given beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import pellucid as pl
from pellucid.verbs.beneath import GIVEN, UNDONE, undone

HOW = pl.Preprocess((12, 16), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


def model(how: pl.Preprocess | None = HOW) -> pl.Model:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 12 * 16, 3)).eval()
    return pl.load(net, preprocess=how) if how is not None else pl.load(net)


def picture(seed: int = 0, size: tuple[int, int] = (16, 12)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_tensor_that_was_read_shows_the_pixels_it_was_read_from() -> None:
    net = model()
    read, given = pl.explain(net, net.read(picture()), target=1), pl.explain(net, picture(), target=1)
    assert np.array_equal(read.picture, given.picture) and torch.equal(read.values, given.values)
    assert UNDONE in read.caption() and UNDONE not in given.caption()


def test_every_sample_of_a_batch_has_its_own_picture() -> None:
    net = model()
    e = pl.explain(net, torch.cat([net.read(picture(seed)) for seed in range(3)]), target=[0, 1, 2])
    assert all(np.array_equal(e.photograph(seed), np.asarray(picture(seed))) for seed in range(3))
    two = pl.explain(net, net.read(picture()), target=1, at="0", only=pl.channels([0]))
    assert two.photograph() is not None


def test_several_conditions_of_one_sample_have_its_picture(tmp_path) -> None:
    net = model()
    x = torch.cat([net.read(picture(seed)) for seed in range(2)])
    e = pl.explain(net, x, target=1, only=[{"0": pl.channels([0])}, {"0": pl.channels([1])}])
    assert len(e) == 4 and [np.array_equal(e.photograph(row), np.asarray(picture(row // 2))) for row in range(4)] == [True] * 4
    e.save(tmp_path / "four.png")


@pytest.mark.parametrize("grey", [True, False])
def test_undoing_is_the_inverse_of_reading(grey: bool) -> None:
    how = pl.Preprocess((12, 16), mean=(0.5,), std=(0.3,)) if grey else HOW
    pixels = undone(how, how(picture())[None])
    assert np.array_equal(pixels, np.asarray(how.crop(picture()).convert("RGB")))


@pytest.mark.parametrize(
    "x", [torch.full((1, 3, 12, 16), 9.0), torch.full((1, 3, 12, 16), torch.nan), torch.zeros(1, 1, 12, 16), torch.zeros(1, 3, 5)]
)
def test_what_cannot_have_been_a_picture_shows_none(x: torch.Tensor) -> None:
    assert undone(HOW, x) is None


def test_a_model_that_does_not_say_how_it_reads_shows_none() -> None:
    e = pl.explain(model(None), torch.rand(1, 3, 12, 16), target=1)
    assert e.picture is None and UNDONE not in e.notes


def test_a_picture_may_be_given_beside_a_tensor() -> None:
    net, x = model(None), torch.randn(2, 3, 12, 16)
    e = pl.explain(net, x[:1], target=1, picture=picture())
    assert np.array_equal(e.picture, np.asarray(picture())) and GIVEN in e.caption()
    large = pl.explain(net, x[:1], target=1, picture=picture(size=(64, 48)))
    assert large.picture.shape == (48, 64, 3), "a finer picture of the same proportions stays as it is"
    both = pl.explain(net, x, target=1, picture=[picture(1), picture(2)])
    assert np.array_equal(both.photograph(1), np.asarray(picture(2)))
    shared = pl.explain(net, x, target=1, picture=picture(1))
    assert np.array_equal(shared.photograph(1), np.asarray(picture(1)))
    cut = pl.explain(model(), x[:1], target=1, picture=picture(size=(40, 40)))
    assert cut.picture.shape == (12, 16, 3), "cut as the model cuts pictures"


@pytest.mark.parametrize(
    ("x", "given", "part"),
    [
        (torch.randn(2, 3, 12, 16), [picture()], "1 pictures for 2 samples"),
        (torch.randn(1, 3, 12, 16), picture(size=(40, 40)), "40 x 40 pixels for an input of 16 x 12"),
        (torch.randn(1, 3, 12, 16), b"nothing", "picture"),
        (["a.png", "b.png"], picture(), "beneath one tensor"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(x: object, given: object, part: str) -> None:
    with pytest.raises(pl.PellucidError, match=part):
        pl.explain(model(None) if isinstance(x, torch.Tensor) else model(), x, target=1, picture=given)


def test_comparisons_show_the_picture_beneath_a_tensor_too() -> None:
    net = model()
    c = pl.compare(net, net.read(picture()), ["lrp.zero", "saliency"], target=1)
    assert np.array_equal(c.any.picture, np.asarray(picture()))
