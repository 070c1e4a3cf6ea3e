"""Sounds: read from WAV files of every common kind, made to fit, and explained over time and frequency."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl
from pellucid.core.stft import Stft, fitting
from pellucid.model.readers.resample import resampled
from pellucid.render.modality.spectrogram.chart import averaged, laid, mel

RATE = 8000
SOUND = pl.Signal(RATE, ("sound",))


def wav(
    path: Path, data: bytes, kind: int, channels: int, bits: int, rate: int = RATE, extra: bytes = b"", size: int | None = None
) -> Path:
    """A file put together from the description of the format (Microsoft and IBM, 1991; extensible: Microsoft, 2001)."""
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits) + extra
    size = len(data) if size is None else size
    parts = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(head)) + head
    parts += b"data" + struct.pack("<I", size) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts)
    return path


def extensible(kind: int, bits: int) -> bytes:
    return struct.pack("<HHIH", 22, bits, 0, kind) + bytes.fromhex("000000001000800000aa00389b71")


def encoded(values: np.ndarray, kind: int, bits: int) -> bytes:
    """Samples (channel, time) in [-1, 1], one by one."""
    flat = values.T.ravel().tolist()
    if kind == 3:
        return struct.pack(f"<{len(flat)}{'f' if bits == 32 else 'd'}", *flat)
    whole = [max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, round(v * 2 ** (bits - 1)))) for v in flat]
    return b"".join((v + 128 if bits == 8 else v).to_bytes(bits // 8, "little", signed=bits > 8) for v in whole)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize(("kind", "bits"), [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)])
def test_wav_files_of_every_kind_hold_the_same_sound(tmp_path, kind, bits, wrapped, channels):
    values = np.random.default_rng(0).uniform(-1, 0.99, (channels, 50))
    data, extra = encoded(values, kind, bits), extensible(kind, bits) if wrapped else b""
    path = wav(tmp_path / "a.wav", data, 0xFFFE if wrapped else kind, channels, bits, extra=extra)
    found = pl.Signal(RATE).read(path)[0][0].double().numpy()
    np.testing.assert_allclose(found, values, atol={8: 2.0**-7, 16: 2.0**-15}.get(bits, 1e-6))


def test_a_sound_from_a_pipe_has_no_size_and_is_read_to_its_end(tmp_path):
    values = np.array([[0.5, -0.25, 0.125]])
    path = wav(tmp_path / "a.wav", encoded(values, 1, 16), 1, 1, 16, size=0xFFFFFFFF)
    np.testing.assert_allclose(SOUND.read(path)[0][0].numpy(), values)


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"size": 900}, "4 of 900 bytes of its part 'data'"),
        ({"kind": 7}, "compressed as mu-law"),
        ({"kind": 0x1234}, "compressed as format 4660"),
        ({"bits": 12}, "1 channels of 12 bits"),
        ({"channels": 0}, "0 channels of 16 bits"),
        ({"channels": 3}, "4 bytes of samples, of 6 bytes for every step"),
        ({"rate": 0}, "0 samples a second"),
        ({"data": b""}, "no values"),
    ],
)
def test_damaged_sounds_are_refused(tmp_path, forged, said):
    given = {"data": b"\0\1\2\3", "kind": 1, "channels": 1, "bits": 16} | forged
    with pytest.raises(pl.InputError, match=said) as caught:
        SOUND.read(wav(tmp_path / "a.wav", **given))
    assert all((caught.value.asked, caught.value.found, caught.value.why, caught.value.do))


@pytest.mark.parametrize("cut", [3, 11, 20, 30, 50])
def test_a_sound_that_breaks_off_is_refused(tmp_path, cut):
    whole = wav(tmp_path / "a.wav", bytes(64), 1, 1, 16).read_bytes()
    (tmp_path / "b.wav").write_bytes(whole[:cut])
    with pytest.raises(pl.InputError, match="cannot be read"):
        SOUND.read(tmp_path / "b.wav")


# -- made to fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "new"), [(44100, 16000), (8000, 16000), (11025, 8000), (48000, 16000), (16000, 44100)])
def test_tones_are_the_same_at_another_rate(rate, new):
    """Those below both halves are kept to 1e-4; one above half the new rate is gone, and does not fold back."""
    seconds, low, high = 0.25, 0.35 * min(rate, new), 0.7 * new
    time, later = torch.arange(int(rate * seconds)).double() / rate, torch.arange(int(new * seconds)).double() / new
    found = resampled(torch.sin(2 * torch.pi * low * time), rate, new)[: len(later)]
    inside = slice(len(later) // 8, -len(later) // 8)
    torch.testing.assert_close(found[inside], torch.sin(2 * torch.pi * low * later)[inside], atol=1e-4, rtol=0)
    if high < rate / 2:
        assert resampled(torch.sin(2 * torch.pi * high * time), rate, new)[inside].abs().max() < 1e-4


def test_what_was_done_to_a_sound_is_told(tmp_path):
    values = np.stack([np.sin(np.arange(4000) / 5), np.zeros(4000)]) * 0.5
    path = wav(tmp_path / "a.wav", encoded(values, 3, 32), 3, 2, 32, rate=2 * RATE)
    fits = pl.Signal(RATE, ("sound",), length=2000, resample=True, mono=True, window=0.125)
    e = pl.explain(pl.load(nn.Sequential(nn.Flatten(), nn.Linear(2000, 2)).eval(), preprocess=fits), path)
    assert e.values.shape == (1, 1, 2000)
    for words in (
        "One channel: the mean of 2.", "Resampled from 16000 to 8000 samples a second.", "from 0.125 to 0.375 s of 0.25 s",
        "The last 0.125 s are zeros",
    ):  # fmt: skip
        assert words in e.caption()
    curve = e.subject.curves[0, 0].numpy()
    np.testing.assert_allclose(curve[:900], 0.25 * np.sin(np.arange(2000)[1000:1900] * 2 / 5), atol=1e-3)
    assert not curve[1000:].any()


def test_windows_that_are_none_are_refused(tmp_path):
    for window in ((1.0, 0.5), (0.0, float("inf")), (-1.0, 1.0), (1.0,), 0.5):
        with pytest.raises(pl.ModelError, match="two times in seconds"):
            pl.Signal(RATE, window=window)
    with pytest.raises(pl.ModelError, match="for a model of 100 samples"):
        pl.Signal(RATE, length=100, window=(0, 1))
    with pytest.raises(pl.InputError, match="nothing of it is there"):
        pl.Signal(RATE, window=(1, 2)).read(np.zeros(100))


# -- over time and frequency -------------------------------------------------------------------------------------------------


def chirp(length: int = 600) -> Tensor:
    time = torch.arange(length).double() / RATE
    return (torch.sin(2 * torch.pi * (300 + 8000 * time) * time) + 0.1)[None, None].float().double()


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv1d(1, 8, 16, stride=2), nn.ReLU(), nn.AdaptiveAvgPool1d(6), nn.Flatten(), nn.Linear(48, 3)
    return nn.Sequential(*layers).eval().double()


class Inverse(nn.Module):
    """The inverse transform as one dense layer of real numbers, written down sample by sample from the formula."""

    def __init__(self, stft: Stft, frames: int, length: int) -> None:
        super().__init__()
        N, k, n = stft.size, torch.arange(stft.size // 2 + 1).double(), torch.arange(stft.size).double()
        w = torch.sin(torch.pi * n / N) / 2**0.5
        counts = torch.tensor([1.0, *[2.0] * (N // 2 - 1), 1.0]).double()
        angle = 2 * torch.pi * k[:, None] * n / N
        piece = torch.stack([counts[:, None] * angle.cos() * w / N, -counts[:, None] * angle.sin() * w / N])
        whole = torch.zeros(2, len(k), frames, length + 2 * N).double()
        for m in range(frames):
            start = m * (N // 4) - (N - N // 4) + N
            whole[:, :, m, start : start + N] = piece
        self.layer = nn.Linear(2 * len(k) * frames, length, bias=False).double()
        self.layer.weight.data = whole[..., N : N + length].flatten(0, 2).T.contiguous()

    def forward(self, z: Tensor) -> Tensor:
        return self.layer(z.flatten(1))[:, None]


@pytest.mark.parametrize("method", ["lrp", "lrp.zero", "gradient_x_input"])
def test_relevance_in_time_and_frequency_is_that_of_a_network_that_begins_with_the_inverse_transform(net, method):
    x = chirp()
    over_time = pl.explain(pl.load(net, preprocess=SOUND), x, 1, method=method)
    found = over_time.spectrogram(window_s=0.008)
    stft = fitting(0.008, RATE, x.shape[-1])
    z = torch.view_as_real(stft.forward(x)[0, 0]).movedim(-1, 0)[None]
    inverse = Inverse(stft, z.shape[-1], x.shape[-1])
    torch.testing.assert_close(inverse(z), x, atol=1e-12, rtol=0)
    R = over_time.values.double()
    ratio = R / x
    expected = (z * (ratio[:, 0] @ inverse.layer.weight).reshape(z.shape)).sum(1)  # the rule, dense
    torch.testing.assert_close(found.values[:, 0], expected, atol=1e-6 * float(R.abs().max()) + 1e-7, rtol=1e-4)
    torch.testing.assert_close(found.values.sum(), R.sum(), atol=1e-6 * float(R.abs().sum()), rtol=0)
    if method != "lrp":  # which may take another rule for the first of two layers
        own = pl.explain(nn.Sequential(inverse, net).eval(), z, 1, method=method).values.double().sum(1)
        torch.testing.assert_close(found.values[:, 0], own, atol=1e-7, rtol=1e-4)


def test_silence_keeps_what_it_holds():
    """A sample that is zero has no parts to share by; the sums of all frames still are those of all samples."""
    x, R = chirp(), torch.randn(1, 1, 600, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[..., 100:300] = 0
    shown = pl.Explanation(R, torch.ones(1), "logit 0", "lrp", True, adds=True, subject=SOUND.modality(x))
    found = shown.spectrogram()
    assert float((found.values.sum() - R.sum()).abs()) < 1e-9 * float(R.abs().sum())


def test_a_tone_speaks_at_its_own_frequency():
    """The network hears 2 kHz alone, among three tones; so does the map."""
    time = torch.arange(1600) / RATE
    x = sum(torch.sin(2 * torch.pi * f * time) for f in (500.0, 2000.0, 3200.0))[None, None]
    filters = nn.Conv1d(1, 2, 64, bias=False)
    phase = 2 * torch.pi * 2000 / RATE * torch.arange(64)
    filters.weight.data = torch.stack([phase.sin(), phase.cos()])[:, None] * torch.hann_window(64)
    hears = nn.Sequential(filters, nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 1, bias=False))
    hears[-1].weight.data.fill_(1.0)
    e = pl.explain(pl.load(hears.eval(), preprocess=SOUND), x, method="gradient_x_input").spectrogram()
    hertz = torch.tensor(e.subject.hertz)
    near = (hertz - 2000).abs() < 200
    assert e.values[0, 0, near].sum() / e.values.abs().sum() > 0.95


def test_values_that_do_not_add_up_have_no_spectrum(net):
    model = pl.load(net, preprocess=SOUND)
    with pytest.raises(pl.MethodError, match="do not add up"):
        pl.explain(model, chirp(), method="saliency").spectrogram()
    with pytest.raises(pl.InputError, match="only a series"):
        pl.explain(net, chirp(), method="lrp").spectrogram()
    with pytest.raises(pl.InputError, match="stretch of time"):
        pl.explain(model, chirp(), method="lrp").spectrogram(window_s=0)


# -- showing -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lrp", "saliency"])
def test_pictures_of_sounds_show_the_curve_and_its_spectrogram(net, method, tmp_path):
    e = pl.explain(pl.load(net, preprocess=SOUND), chirp(), method=method)
    told = e.save(tmp_path / "e.svg").read_text()
    assert told.count("<image") == 1 and "kHz" in told and "seconds" in told
    assert ("do not add up" in told) == (method == "saliency")
    slow = pl.explain(pl.load(net, preprocess=pl.Signal(250)), chirp(), method=method)
    assert "<image" not in slow.save(tmp_path / "slow.svg").read_text(), "no sound"


def test_spectrograms_are_saved_and_painted(net, tmp_path):
    e = pl.explain(pl.load(net, preprocess=SOUND), torch.cat([chirp(), -chirp()])).spectrogram()
    back = pl.Explanation.load(e.save(tmp_path / "e.safetensors"))
    assert torch.equal(back.values, e.values) and torch.equal(back.subject.levels, e.subject.levels)
    for suffix in (".png", ".svg", ".html", ".txt", ".json"):
        file = e.save(tmp_path / f"e{suffix}")
        assert suffix == ".png" or ("Hz" in file.read_text() or "from_hz" in file.read_text())
    assert max(map(len, pl.render.terminal(e, 70, colour=False).splitlines())) <= 70


def test_frequencies_are_drawn_where_the_axis_says(net):
    e = pl.explain(pl.load(net, preprocess=SOUND), chirp()).spectrogram()
    rows = torch.zeros(e.values.shape[2:]).double().numpy()
    row = min(range(len(rows)), key=lambda k: abs(e.subject.hertz[k] - 1000))
    rows[row] = 1.0
    drawn = laid(e.subject, rows, (400, 50))
    place = 400 * (1 - mel(e.subject.hertz[row]) / mel(e.subject.hertz[-1]))
    assert abs(float(drawn[:, 25].argmax()) - place) < 8 and drawn.max() == pytest.approx(1.0, abs=0.1)
    ramp = np.arange(10.0)[:, None]
    np.testing.assert_allclose(averaged(ramp, np.array([1.5, 3.5, 5.5]))[:, 0], [2.5, 4.5])


def test_networks_of_spectrograms_are_explained_in_hz_and_seconds(tmp_path):
    torch.manual_seed(0)
    flat = nn.Sequential(nn.Conv1d(40, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 2)).eval()
    plane = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    levels = torch.rand(40, 30, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "a.npy", levels.numpy())
    for net, how, shape in (
        (plane, pl.Spectrogram.mel(40, rate=RATE, hop=80), (1, 1, 40, 30)),
        (flat, pl.Spectrogram.linear(40, rate=RATE, hop=80, flat=True, unit="dB"), (1, 40, 30)),
    ):
        model = pl.load(net, preprocess=how)
        for given in (levels.numpy(), tmp_path / "a.npy", levels.reshape(shape)):
            e = pl.explain(model, given)
            assert e.values.shape == shape and torch.equal(e.subject.levels[0, 0], levels) and e.subject.seconds(10) == 0.1
        told = e.save(tmp_path / "e.svg").read_text()
        assert "kHz" in told and "seconds" in told and told.count("<image") == 1
    assert pl.Spectrogram.linear(40, rate=RATE, hop=80).hertz[-1] == RATE / 2
    with pytest.raises(pl.InputError, match="a spectrogram of 40 frequencies"):
        pl.explain(model, levels[:20].numpy())
    for hertz in ((), (2.0, 1.0), (-1.0, 1.0)):
        with pytest.raises(pl.ModelError, match="the lowest first"):
            pl.Spectrogram(hertz, 0.01)
    with pytest.raises(pl.ModelError, match="time goes on"):
        pl.Spectrogram((1.0,), 0.0)
