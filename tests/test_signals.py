"""Series: read from arrays and files, explained over time, drawn with their curves."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.render.modality.series.chart import strips, thinned

ECG = pl.Signal(250, ("I", "II"), "mV", mean=(0.5, 0.0), std=2.0)


def refusal(call: Callable[[], Any], said: str, error: type[Exception] = pl.InputError) -> None:
    with pytest.raises(error, match=said) as caught:
        call()
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do)), "four parts"


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 300))


# -- reading -----------------------------------------------------------------------------------------------------------------


def test_a_series_is_read_whatever_it_comes_as(series, tmp_path):
    np.save(tmp_path / "a.npy", series)
    np.savetxt(tmp_path / "a.csv", series.T, delimiter=",")
    clock = np.arange(300) / 250
    np.savetxt(tmp_path / "b.csv", np.c_[clock, series.T], delimiter=";", header="time;lead I;lead II", comments="")
    expected = (torch.from_numpy(series) - torch.tensor([[0.5], [0.0]])) / 2
    for given in (
        series,
        torch.from_numpy(series),
        series.tolist(),
        tmp_path / "a.npy",
        str(tmp_path / "a.csv"),
        tmp_path / "b.csv",
    ):
        x, curves = ECG.read(given)
        assert x.shape == (1, 2, 300) and x.dtype == torch.float32 and curves.names == ("I", "II")
        torch.testing.assert_close(x[0], expected.float(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(curves.curves[0].double(), torch.from_numpy(series), rtol=1e-5, atol=1e-6)
    assert pl.Signal(250).read(tmp_path / "b.csv")[1].names == ("lead I", "lead II")
    assert pl.Signal(250).read(series[0])[0].shape == (1, 1, 300)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_sound_is_read_from_minus_one_to_one(tmp_path, size):
    values = np.array([[0.0, 0.5, -0.5, -1.0], [0.25, -0.25, 0.0, 0.5]])
    whole = np.round(values.T * 2 ** (8 * size - 1)).clip(-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1).astype(np.int64)
    data = b"".join(int(v + 128 if size == 1 else v).to_bytes(size, "little", signed=size > 1) for v in whole.ravel())
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2), file.setsampwidth(size), file.setframerate(8000), file.writeframes(data)
    x, _ = pl.Signal(8000, unit="").read(tmp_path / "a.wav")
    np.testing.assert_allclose(x[0].numpy(), values, atol=1e-2 if size == 1 else 1e-4)
    refusal(lambda: pl.Signal(16000).read(tmp_path / "a.wav"), "one of 8000; the model would see it faster or slower")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "no values|cannot be read"),
        ("a.csv", b"1,2\n3\n", "lines of 1 to 2 cells"),
        ("a.csv", b"1,2\nx,4\n", "cannot be read"),
        ("a.csv", b"1,2\n,4\n", "no numbers"),
        ("a.npy", b"\x93NUMPYx", "cannot be read"),
        ("a.wav", b"RIFFxxxxWAVE", "cannot be read"),
        ("a.mp3", b"ID3", "a file of kind .mp3"),
    ],
)
def test_files_that_are_no_series_are_refused(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    refusal(lambda: ECG.read(tmp_path / name), said)


def test_objects_in_an_array_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refusal(lambda: ECG.read(tmp_path / "a.npy"), "cannot be read")


def test_series_that_do_not_fit_are_refused(series):
    refusal(lambda: ECG.read(series[:1]), r"2 channels \(I, II\): found 1 channels and 300 samples")
    refusal(lambda: pl.Signal(250, length=200).read(series), "Cut out the part that is meant")
    refusal(lambda: pl.Signal(250, length=400).read(series), "missing samples are not made up")
    refusal(lambda: ECG.read(np.full((2, 3), np.nan)), "6 of 6 values that are no numbers")
    refusal(lambda: ECG.read("nowhere.csv"), "no file of that name")
    refusal(lambda: ECG.read([[1, 2], [3]]), "an object of type list")
    refusal(lambda: ECG.read(np.ones((1, 1, 1, 1))), "numbers of shape")
    refusal(lambda: pl.Signal(0), "samples per second", pl.ModelError)
    refusal(lambda: pl.Signal(1, std=0.0), "divided by it", pl.ModelError)
    refusal(lambda: pl.Signal(1, ("a", "b"), mean=(1.0,)), "1 numbers for 2 channels", pl.ModelError)


# -- end to end --------------------------------------------------------------------------------------------------------------


def planted(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise on slow waves in three channels; in half of them a burst of 0.12 s in the middle channel."""
    rng = torch.Generator().manual_seed(seed)
    time = torch.arange(250) / 250
    x = 0.6 * torch.randn(n, 3, 250, generator=rng) + 0.5 * torch.sin(
        2 * torch.pi * (2 * time + torch.rand(n, 3, 1, generator=rng))
    )
    y, at = torch.arange(n) % 2, torch.randint(20, 200, (n,), generator=rng)
    burst = 2.2 * torch.hann_window(30) * torch.sin(2 * torch.pi * torch.arange(30) / 7.5)
    for i in range(1, n, 2):
        x[i, 1, at[i] : at[i] + 30] += burst
    return x, y, at


@pytest.fixture(scope="module")
def bursts() -> tuple[pl.Model, Tensor, Tensor]:
    """A small network that finds them, and the bursts it was not trained on, with where they are."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv1d(3, 8, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 16, 9, padding=4), nn.ReLU()),
        *(nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 2)),
    )
    x, y, _ = planted(800, 1)
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(6):
        for some in torch.randperm(800).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[some]), y[some]).backward()
            optimiser.step()
    test, y, at = planted(120, 2)
    assert (net.eval()(test).argmax(1) == y).float().mean() > 0.95
    signal = pl.Signal(250, ("left", "middle", "right"), "mV", length=250)
    return pl.load(net, preprocess=signal, labels=["quiet", "burst"]), test[1::2], at[1::2]


@pytest.mark.parametrize(
    ("method", "least"), [("lrp", 0.85), ("gradient_x_input", 0.7), ("integrated_gradients", 0.7), ("deeplift", 0.7)]
)
def test_the_evidence_lies_where_the_pattern_was_planted(bursts, method, least):
    """The burst fills 4 % of the places of its three channels."""
    model, x, at = bursts
    e = pl.explain(model, x, "burst", method=method)
    mass = e.values.clamp(min=0)
    inside = torch.stack([mass[i, 1, at[i] : at[i] + 30].sum() / mass[i].sum() for i in range(len(x))])
    print(f"{method}: {inside.mean():.2f} of what speaks for it, at least {inside.min():.2f}")
    assert inside.mean() > least


def test_windows_of_time_find_it_too(bursts):
    model, x, at = bursts
    window = model.preprocess.steps(0.12)
    e = pl.explain(model, x[:8], "burst", method=pl.perturb.occlusion(window=window, stride=5))
    peaks = [int(e.heat(i).argmax()) for i in range(8)]
    assert all(at[i] - 10 <= peak <= at[i] + 40 for i, peak in enumerate(peaks))


def test_a_step_of_a_series_of_answers_is_explained_by_what_came_before():
    """A causal network: the answer at a step depends on the two steps before and on itself."""
    torch.manual_seed(0)
    conv = nn.Conv1d(2, 3, 3, padding=2)
    net = pl.load(lambda x: conv(x)[:, :, :-2].transpose(1, 2), preprocess=ECG)
    e = pl.explain(net, np.random.default_rng(0).normal(size=(2, 40)), pl.step(20, 1), method="gradient_x_input")
    assert e.values[0].abs().sum(0).nonzero().flatten().tolist() == [18, 19, 20]


# -- showing -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lrp", "occlusion", "saliency"])
def test_every_painter_shows_curve_channels_and_seconds(bursts, method, tmp_path):
    model, x, _ = bursts
    e = pl.explain(model, x[:1], "burst", method=method)
    for suffix in (".png", ".svg", ".html", ".txt", ".json"):
        file: Path = e.save(tmp_path / f"e{suffix}")
        if suffix != ".png":
            told = file.read_text()
            assert all(name in told for name in ("left", "middle", "right")), suffix
        if suffix in (".svg", ".html"):
            assert told.count("<polyline") >= 6 and "seconds" in told and "mV" in told
    back = pl.Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert torch.equal(back.subject.curves, e.subject.curves) and back.subject.rate == 250
    assert "\x1b[" in pl.render.terminal(e) and "\x1b[" not in pl.render.terminal(e, colour=False)
    assert max(map(len, pl.render.terminal(e, 70, colour=False).splitlines())) <= 70


def test_the_strips_tell_the_values(bursts):
    model, x, _ = bursts
    e = pl.explain(model, x[:1], "burst")
    found = strips(e, 50)
    expected = e.values[0].double().reshape(3, 50, 5).mean(2).numpy()
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert found.scale.limit == pytest.approx(np.abs(expected).max())


def test_thin_curves_keep_every_peak():
    curve = np.zeros(100_000)
    curve[54_321] = 7.0
    points = thinned(curve, 800)
    assert len(points) <= 1600 and (54_321.0, 7.0) in points


def test_long_series_many_channels_and_flat_ones_are_drawn(tmp_path):
    net = nn.Sequential(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(160, 2)).eval()
    model = pl.load(net, preprocess=pl.Signal(1000, tuple(f"channel number {n}" for n in range(40)), "µV"))
    x = torch.randn(1, 40, 30_000, generator=torch.Generator().manual_seed(0))
    x[0, 3] = 5.0
    e = pl.explain(model, x, method="gradient_x_input")
    for suffix in (".png", ".svg", ".html", ".txt"):
        assert e.save(tmp_path / f"e{suffix}").stat().st_size < 3_000_000
    assert "The 16 channels of 40 that say most are drawn." in (tmp_path / "e.svg").read_text()
    one = pl.explain(pl.load(nn.Flatten().eval(), preprocess=pl.Signal(1)), torch.zeros(1, 1, 1), method="gradient_x_input")
    assert "No evidence found" in one.caption()
    for suffix in (".png", ".svg", ".html", ".txt"):
        one.save(tmp_path / f"one{suffix}")
