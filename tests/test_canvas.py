"""Canvases: what they draw, against slow twins, for inputs of any layout, alone and in a batch."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import InputError, ModelError
from pellucid.synth.canvas import CPPN, Colour, Fourier, Latent, Phase, Pixel, Spectrum
from pellucid.synth.canvas.spectrum import frequencies, resample
from pellucid.synth.frame import Frame
from pellucid.synth.protocols import Canvas
from pellucid.synth.random import generators, normal

SHAPES = [(3, 8, 8), (1, 28, 28), (5, 16, 24), (2, 7, 9), (2, 64), (2, 4, 6, 5)]
CANVASES: list[Any] = [Pixel(noise=0.1), Pixel(noise=0.1, sigmoid=True), Fourier(), Phase(), CPPN(layers=2, width=4)]
each_canvas = pytest.mark.parametrize("canvas", CANVASES, ids=lambda canvas: canvas.name + "_sigmoid" * (canvas == CANVASES[1]))
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def framed(*shape: int, bounded: bool = True, dtype: torch.dtype = torch.float64) -> Frame:
    low, high = (torch.tensor(-2.0), torch.tensor(3.0)) if bounded else (None, None)
    return Frame(shape, low, high, dtype=dtype)


def pictures(canvas: Any, frame: Frame, *seeds: int) -> Tensor:
    return canvas.draw(canvas.start(frame, generators(seeds)), frame)


# -- every canvas --------------------------------------------------------------------------------------------------------------


@each_canvas
@each_shape
def test_a_canvas_fills_any_layout_within_bounds_and_passes_gradients(canvas, shape):
    frame = framed(*shape)
    assert isinstance(canvas, Canvas)
    numbers = tuple(n.requires_grad_() for n in canvas.start(frame, generators([0, 1])))
    drawing = canvas.draw(numbers, frame)
    assert drawing.shape == (2, *shape) and drawing.dtype == frame.dtype and drawing.min() >= 0 and drawing.max() <= 1
    weights = torch.randn(drawing.shape, generator=torch.Generator().manual_seed(0), dtype=drawing.dtype)
    slopes = torch.autograd.grad((drawing * weights).sum(), numbers)
    assert all(slope.isfinite().all() for slope in slopes)
    assert all((sum(slope[row].abs().sum() for slope in slopes) > 0) for row in range(2))


@each_canvas
@each_shape
def test_a_picture_of_a_batch_is_the_picture_alone(canvas, shape):
    frame = framed(*shape)
    batch = canvas.start(frame, generators([5, 6, 7]))
    alone = canvas.start(frame, generators([6]))
    assert all(torch.equal(many[1:2], one) for many, one in zip(batch, alone, strict=True))
    torch.testing.assert_close(canvas.draw(batch, frame)[1:2], canvas.draw(alone, frame), rtol=0, atol=1e-12)


@each_canvas
def test_a_seed_draws_one_picture_and_another_seed_another(canvas):
    frame = framed(3, 8, 8)
    first, again, other = (pictures(canvas, frame, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert isinstance(canvas, CPPN) or not torch.equal(first, other)  # whose last layer begins at zero: every picture is grey


@each_canvas
@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 64)], ids=str)
def test_half_precision_frames_get_half_precision_pictures(canvas, shape):
    frame = framed(*shape, dtype=torch.bfloat16)
    numbers = canvas.start(frame, generators([0]))
    assert all(n.dtype == torch.float32 for n in numbers) and canvas.draw(numbers, frame).dtype == torch.bfloat16


@pytest.mark.parametrize("canvas", [Fourier(), Phase(), CPPN()], ids=lambda canvas: canvas.name)
def test_columns_of_a_table_have_no_frequencies_and_no_coordinates(canvas):
    with pytest.raises(InputError, match=r"inputs without spatial axes; the columns of a table .* Use pl\.synth\.Pixel"):
        canvas.start(framed(12), generators([0]))


@pytest.mark.parametrize(
    "canvas", [Pixel(noise=0.1), Fourier(), Phase(), CPPN(layers=2, width=4)], ids=lambda canvas: canvas.name
)
@pytest.mark.parametrize("sizes", [((8, 8), (16, 16)), ((7, 10), (15, 20)), ((16,), (32,))], ids=str)
def test_a_picture_enlarged_shows_the_same(canvas, sizes):
    small, large = framed(2, *sizes[0], bounded=False), framed(2, *sizes[1], bounded=False)
    numbers = tuple(n + 0.3 * normal(generators([9, 9]), n.shape[1:], small) for n in canvas.start(small, generators([3, 3])))
    numbers = canvas.enlarged(numbers, small, large, generators([4, 4]))
    after, before = canvas.draw(numbers, large), canvas.draw(canvas.start(small, generators([3, 3])), small)
    assert after.shape == (2, 2, *sizes[1]) and torch.equal(after[0], after[1]) and before.shape == (2, 2, *sizes[0])


# -- pixel ---------------------------------------------------------------------------------------------------------------------


def test_pixels_begin_with_what_the_network_calls_zero():
    frame = framed(12)
    torch.testing.assert_close(frame.to_inputs(pictures(Pixel(), frame, 0)), torch.zeros(1, 12, dtype=torch.float64))
    assert pictures(Pixel(level=0.5), frame, 0).unique().tolist() == [0.5]
    assert pictures(Pixel(), framed(3, 4, 4, bounded=False), 0).unique().tolist() == [0.0]


def test_pixels_begin_with_a_given_picture_and_stay_within_bounds():
    frame, given = framed(1, 2, 2), torch.tensor([[[0.0, 0.3], [0.6, 1.0]]], dtype=torch.float64)
    assert torch.equal(pictures(Pixel(picture=given), frame, 0, 1)[1], given)
    torch.testing.assert_close(pictures(Pixel(picture=given, sigmoid=True), frame, 0)[0], given.clamp(0.01, 0.99))
    assert Pixel().within((given - 0.5,), frame)[0].min() == 0
    assert Pixel(clip=False).within((given - 0.5,), frame)[0].min() == -0.5
    assert Pixel().within((given - 0.5,), framed(1, 2, 2, bounded=False))[0].min() == -0.5


def test_a_given_picture_has_to_fit():
    with pytest.raises(InputError, match=r"one of shape \(3, 4\); the model's input has shape \(1, 2, 2\)\. Resize it"):
        pictures(Pixel(picture=torch.zeros(3, 4)), framed(1, 2, 2), 0)


def test_a_sigmoid_needs_bounds():
    with pytest.raises(InputError, match=r"inputs have no known bounds; a sigmoid runs between two bounds\. Pass bounds"):
        pictures(Pixel(sigmoid=True), framed(1, 2, 2, bounded=False), 0)


# -- Fourier -------------------------------------------------------------------------------------------------------------------


def cosine_sums(numbers: Tensor, shape: tuple[int, ...], decay: float) -> Tensor:
    """Lucid's picture before colours and sigmoid, as a sum of cosines and sines, one by one."""
    channels, *sides = shape
    value = torch.zeros(shape, dtype=torch.float64)
    half = sides[-1] // 2 + 1
    for c, *k in product(range(channels), *(range(side) for side in sides[:-1]), range(half)):
        signed = [
            j - side if 2 * j >= side and axis < len(sides) - 1 else j
            for axis, (j, side) in enumerate(zip(k, sides, strict=True))
        ]
        f = math.sqrt(sum((j / side) ** 2 for j, side in zip(signed, sides, strict=True)))
        size = 1 / max(f, 1 / max(sides)) ** decay / math.sqrt(math.prod(sides))
        twice = 1 if k[-1] == 0 or 2 * k[-1] == sides[-1] else 2
        real, imaginary = numbers[(c, *k)].tolist()
        for place in product(*(range(side) for side in sides)):
            angle = 2 * math.pi * sum(j * p / side for j, p, side in zip(k, place, sides, strict=True))
            value[(c, *place)] += twice * size * (real * math.cos(angle) - imaginary * math.sin(angle))
    return value / 4


@pytest.mark.parametrize("shape", [(2, 4, 6), (1, 5, 3), (2, 8), (1, 2, 3, 4)], ids=str)
@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
def test_fourier_is_a_sum_of_waves(shape, decay):
    frame, canvas = framed(*shape, bounded=False), Fourier(decay=decay)
    numbers = canvas.start(frame, generators([0]))
    torch.testing.assert_close(canvas.draw(numbers, frame)[0], cosine_sums(numbers[0][0], shape, decay))


def test_fourier_mixes_colours_and_bends_into_bounds():
    frame, colour = framed(3, 4, 4), Colour.imagenet()
    numbers = Fourier().start(frame, generators([0]))
    plain = Fourier(colour=Colour.independent(3)).draw(numbers, Frame((3, 4, 4), dtype=torch.float64))
    mixed = (colour.matrix.double() @ plain[0].flatten(1)).reshape(3, 4, 4)
    torch.testing.assert_close(Fourier().draw(numbers, frame)[0], mixed.sigmoid())


@pytest.mark.parametrize("shape", [(3, 8, 8), (5, 6, 9), (2, 16)], ids=str)
def test_fourier_can_begin_with_a_given_picture(shape):
    frame = framed(*shape)
    given = 0.1 + 0.8 * torch.rand(2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(Fourier().draw(Fourier().inverse(given, frame), frame), given)


@pytest.mark.parametrize("sizes", [((9, 7), (18, 14)), ((8, 8), (16, 16)), ((15,), (30,))], ids=str)
def test_fourier_enlarged_keeps_its_waves(sizes):
    small, large = (framed(1, *size, bounded=False) for size in sizes)
    axes = [2 * math.pi * torch.arange(side, dtype=torch.float64) / side for side in sizes[1]]
    waves = torch.zeros(sizes[1], dtype=torch.float64)
    for n, axis in enumerate(axes):
        waves = waves + torch.cos((n + 1) * axis + 0.3).reshape(-1, *[1] * (len(axes) - 1 - n))
    few = waves[tuple(slice(None, None, 2) for _ in axes)]
    numbers = Fourier().enlarged(Fourier().inverse(few[None, None], small), small, large, generators([0]))
    torch.testing.assert_close(Fourier().draw(numbers, large)[0, 0], waves)
    torch.testing.assert_close(resample(few[None, None], sizes[1])[0, 0], waves)
    (pixels,) = Pixel().enlarged((few[None, None],), small, large, generators([0]))
    torch.testing.assert_close(pixels[0, 0], waves)


# -- colour --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_fitted_colours_have_the_covariance_of_the_data(channels):
    rng = torch.Generator().manual_seed(0)
    mix = torch.randn(channels, channels, generator=rng, dtype=torch.float64)
    data = torch.einsum("ij,njhw->nihw", mix, torch.randn(40, channels, 8, 8, generator=rng, dtype=torch.float64))
    colour = Colour.fit(data + 3)
    noise = torch.randn(1, channels, 200_000, generator=rng, dtype=torch.float64)
    drawn_cov, wanted = (torch.atleast_2d(torch.cov(t.movedim(1, 0).flatten(1))) for t in (colour.mix(noise), data))
    assert (drawn_cov / drawn_cov.trace() - wanted / wanted.trace()).abs().max() < 0.01
    assert abs(colour.matrix.norm(dim=0).max() - 1) < 1e-6
    torch.testing.assert_close(colour.unmix(colour.mix(noise)), noise, rtol=0, atol=1e-4)


def test_channels_that_never_vary_apart_are_no_trouble():
    grey = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0)).expand(4, 3, 5, 5)
    colour = Colour.fit(grey)
    assert torch.linalg.matrix_rank(colour.matrix, rtol=1e-3) == 1
    torch.testing.assert_close(colour.mix(colour.unmix(grey)), grey, rtol=0, atol=1e-4)


def test_colours_of_the_wrong_kind_are_refused():
    with pytest.raises(InputError, match=r"a matrix of shape \(3, 3\) for 2 channels; .* Fit it to such inputs: Colour\.fit"):
        pictures(Fourier(colour=Colour.imagenet()), framed(2, 4, 4), 0)
    with pytest.raises(InputError, match=r"pixels are all the same; they do not vary"):
        Colour.fit(torch.ones(2, 3, 4, 4))


# -- phase ---------------------------------------------------------------------------------------------------------------------


def corner(picture: Tensor) -> float:
    """The share of the energy in the 16 x 16 pixels around the origin, of a picture that begins again beyond its rim."""
    around = picture.roll((8, 8), (-2, -1))[..., :16, :16]
    return float(around.square().sum() / picture.square().sum())


def test_phases_put_no_energy_into_a_corner():
    frame = Frame((1, 256, 256))
    energy = [corner(pictures(Phase(), frame, seed)[0, 0]) for seed in range(8)]
    assert 0.0005 < sum(energy) / 8 < 0.006  # 16^2 of 256^2 is 0.39 %

    magnitudes = Spectrum().magnitudes(frame)[0]
    coherent = torch.randn(magnitudes.shape, generator=torch.Generator().manual_seed(0))  # the published start
    assert corner(torch.fft.irfftn(torch.polar(magnitudes, coherent), s=(256, 256), norm="ortho")) > 0.25


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28), (2, 7, 9), (2, 16, 11), (2, 64), (1, 4, 6, 5)], ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_phases_keep_the_spectrum_exactly(shape, seed):
    frame = framed(*shape, bounded=False)
    drawing = pictures(Phase(), frame, seed)
    axes = tuple(range(2, len(shape) + 1))
    found = torch.fft.rfftn(drawing, dim=axes, norm="ortho").abs()[0]
    torch.testing.assert_close(found, Spectrum.usual(frame).magnitudes(frame).double(), rtol=1e-5, atol=1e-5)
    each = drawing.flatten(2)
    torch.testing.assert_close(each.mean(2), torch.zeros_like(each[..., 0]), rtol=0, atol=1e-6)
    torch.testing.assert_close(each.std(2, correction=0), torch.ones_like(each[..., 0]), rtol=0, atol=1e-5)


def test_the_spectrum_stays_when_phases_are_moved():
    frame = framed(2, 9, 8, bounded=False)
    (u,) = Phase().start(frame, generators([0]))
    moved = Phase().draw((u + 3 * normal(generators([1]), u.shape[1:], frame),), frame)
    assert (moved - Phase().draw((u,), frame)).abs().max() > 0.1
    found = torch.fft.rfftn(moved, dim=(2, 3), norm="ortho").abs()[0]
    torch.testing.assert_close(found, Spectrum.usual(frame).magnitudes(frame).double(), rtol=1e-5, atol=1e-5)


def test_the_default_spectrum_is_one_over_f():
    frame = Frame((2, 12, 10))
    plane, f = Spectrum(decay=1.5).magnitudes(frame), frequencies((12, 10))
    product_ = (plane * f**1.5).flatten(1)[:, 1:]
    torch.testing.assert_close(product_, product_[:, :1].expand_as(product_))
    assert plane[0, 0, 0] == 0


@pytest.mark.parametrize("decay", [0.5, 1.2])
@pytest.mark.parametrize("size", [(32, 32), (48, 20), (64,)], ids=str)
def test_a_fitted_spectrum_is_that_of_the_data_at_any_size(decay, size):
    frame = Frame((2, *((64,) if len(size) == 1 else (32, 32))))
    data = torch.cat([pictures(Phase(Spectrum(decay)), frame, seed) for seed in range(4)])
    fitted = Spectrum.fit(data, Colour.independent(2)).magnitudes(Frame((2, *size)))
    wanted = Spectrum(decay).magnitudes(Frame((2, *size)))
    inner = frequencies(size) > 2 / 32
    inner &= frequencies(size) < 0.45
    ratio = (fitted / wanted)[:, inner]
    assert ratio.min() > 0.9 and ratio.max() < 1.1


def test_a_spectrum_of_other_channels_is_refused():
    data = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"one of 3 channels for 2; each channel has a spectrum of its own"):
        pictures(Phase(Spectrum.fit(data)), framed(2, 8, 8), 0)
    assert pictures(Phase(Spectrum.fit(data)), framed(3, 10, 6), 0).shape == (1, 3, 10, 6)
    with pytest.raises(InputError, match=r"A spectrum fitted to data: found inputs without spatial axes"):
        Spectrum.fit(torch.rand(4, 3))


# -- CPPN ----------------------------------------------------------------------------------------------------------------------


def test_cppn_is_a_network_at_every_place():
    frame, canvas = framed(2, 3, 4), CPPN(layers=2, width=3)
    numbers = tuple(n + 0.2 * normal(generators([8]), n.shape[1:], frame) for n in canvas.start(frame, generators([0])))
    drawing = canvas.draw(numbers, frame)[0]
    w1, b1, w2, b2, w3, b3 = (n[0] for n in numbers)
    for i, j in product(range(3), range(4)):
        h = torch.tensor([math.sqrt(3) * (2 * i / 2 - 1), math.sqrt(3) * (2 * j / 3 - 1)], dtype=torch.float64)
        for w, b in ((w1, b1), (w2, b2)):
            t = torch.arctan(w @ h + b)
            h = torch.cat([t / 0.67, t**2 / 0.6])
        torch.testing.assert_close(drawing[:, i, j], (w3 @ h + b3).sigmoid())


def test_cppn_paints_the_same_picture_at_every_size():
    canvas, small, large = CPPN(layers=2, width=6), framed(1, 5, 5), framed(1, 9, 9)
    numbers = tuple(n + 0.3 * normal(generators([1]), n.shape[1:], small) for n in canvas.start(small, generators([0])))
    torch.testing.assert_close(canvas.draw(numbers, large)[..., ::2, ::2], canvas.draw(numbers, small))


# -- latent --------------------------------------------------------------------------------------------------------------------


def generator() -> nn.Module:
    rng = torch.random.get_rng_state()
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(6, 2 * 4 * 4), nn.Sigmoid(), nn.Unflatten(1, (2, 4, 4))).double().eval()
    torch.random.set_rng_state(rng)
    return made


def test_a_latent_code_begins_among_those_of_the_data_and_stays_in_bounds():
    mean, sd = torch.arange(6.0), torch.linspace(0.1, 2, 6)
    frame, canvas = framed(2, 4, 4), Latent(generator(), mean, sd, spread=0.5, low=torch.full((6,), -9.0), high=mean + 3 * sd)
    (codes,) = canvas.start(frame, generators(range(2000)))
    torch.testing.assert_close(codes.mean(0), mean.double(), rtol=0, atol=0.1)
    torch.testing.assert_close(codes.std(0), 0.5 * sd.double(), rtol=0.1, atol=0.01)
    (kept,) = canvas.within((codes + 100,), frame)
    assert torch.equal(kept[0], (mean + 3 * sd).double())
    torch.testing.assert_close(canvas.draw((codes[:3],), frame), generator()(codes[:3]))


def test_a_latent_picture_is_resized_and_scaled_for_the_frame():
    canvas = Latent(generator(), torch.zeros(6), torch.ones(6), output=(-1.0, 1.0))
    drawing = pictures(canvas, framed(2, 8, 6), 0)
    assert drawing.shape == (1, 2, 8, 6) and drawing.min() >= 0.5 and drawing.max() <= 1


def test_generators_that_cannot_serve_are_refused():
    with pytest.raises(ModelError, match=r"Linear in training mode|Sequential in training mode"):
        pictures(Latent(generator().train(), torch.zeros(6), torch.ones(6)), framed(2, 4, 4), 0)
    with pytest.raises(InputError, match=r"pictures of shape \(2, 4, 4\) from it; the model's input has shape \(3, 4, 4\)"):
        pictures(Latent(generator(), torch.zeros(6), torch.ones(6)), framed(3, 4, 4), 0)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Spectrum(1.0), "Spectrum(1 / f^1.0)"),
        (Colour.imagenet(), "Colour(ImageNet)"),
        (Pixel(picture=torch.zeros(1, 4, 4)), "Pixel(a picture, noise=0.0, clip=True, sigmoid=False)"),
        (Latent(torch.sigmoid, torch.zeros(2), torch.ones(2)), "Latent(builtin_function_or_method, spread=0.5)"),
    ],
    ids=["spectrum", "colour", "pixel", "latent"],
)
def test_settings_are_told_in_a_line_without_their_numbers(part, told):
    assert repr(part) == told
