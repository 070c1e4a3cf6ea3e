"""The speech detector of the package silero-vad: a script that remembers what it heard, and its network over a stretch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid as pl

pytestmark = pytest.mark.skipif(find_spec("silero_vad") is None, reason="silero-vad is not installed")
RATE, PIECE, BEFORE = 16000, 512, 64


def vowels(seconds: float) -> Tensor:
    """Pulses of a voice of about 120 Hz through three resonances that go from a to i to u, in syllables."""
    count = int(seconds * RATE)
    time = np.arange(count) / RATE
    pitch = 120 * (1 + 0.05 * np.sin(2 * np.pi * 4.5 * time) + 0.1 * np.sin(2 * np.pi * 0.8 * time))
    sound = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0) + 0.01 * np.random.default_rng(0).normal(size=count)
    for place, width in enumerate((80, 100, 140)):
        heard, one, two = np.empty(count), 0.0, 0.0
        for n in range(count):
            vowel = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))[int(time[n] / 0.18) % 4]
            r = np.exp(-np.pi * width / RATE)
            heard[n] = sound[n] + 2 * r * np.cos(2 * np.pi * vowel[place] / RATE) * one - r * r * two
            one, two = heard[n], one
        sound = heard
    syllables = 0.15 + 0.85 * np.clip(np.sin(2 * np.pi * 4 * time - 1), 0, 1) ** 0.7
    return torch.from_numpy(0.5 * sound / np.abs(sound).max() * syllables).float()


class Stretch(nn.Module):
    """The mean of what the network says of the pieces of a sound (batch, 1, time), one after the other."""

    def __init__(self, net: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        state, before, said = torch.zeros(2, len(x), 128), torch.zeros(len(x), BEFORE), []
        for piece in x[:, 0].split(PIECE, 1):
            answer, state = self.net._model(torch.cat([before, piece], 1), state)
            before = piece[:, -BEFORE:]
            said.append(answer)
        return torch.cat(said, 1).mean(1, keepdim=True)


@pytest.fixture(scope="module")
def detector() -> torch.jit.ScriptModule:
    path = Path(find_spec("silero_vad").origin).parent / "data" / "silero_vad.jit"
    return pl.load(str(path), trust=True).module


def closed(e: pl.Explanation) -> bool:
    """Whether the books close to 1e-4 of the seed and all bookings."""
    ledger = e.ledger
    return bool((ledger.error.abs() <= 1e-4 * (ledger.seed.abs() + sum(row.amount.abs() for row in ledger.rows))).all())


def test_the_next_piece_is_explained_and_what_was_heard_stays(detector):
    sound = vowels(0.5)
    detector.reset_states()
    with torch.no_grad():
        for piece in sound[: 10 * PIECE].split(PIECE):
            detector(piece[None], RATE)
    state, piece = detector._state.clone(), sound[None, 10 * PIECE : 11 * PIECE]
    e = pl.explain(detector, (piece, RATE), method="lrp")
    assert torch.equal(detector._state, state) and closed(e)
    with torch.no_grad():
        assert float(e.output) == pytest.approx(float(detector(piece, RATE)), abs=1e-6)


def test_a_stretch_of_speech_is_explained_over_time_and_frequency(detector, tmp_path):
    sound = vowels(2.0)[24576 : 24576 + 12 * PIECE][None, None]
    net = Stretch(detector).eval()
    model = pl.load(net, preprocess=pl.Signal(RATE, ("sound",)))
    with torch.no_grad():
        assert float(net(sound)) > 0.5 > float(net(0.1 * torch.randn(sound.shape))), "it hears speech, and none in noise"
    for method in ("lrp", "lrp.epsilon"):
        e = pl.explain(model, sound, method=method)
        over = e.spectrogram()
        assert closed(e) and float((over.values.sum() - e.values.sum()).abs()) < 1e-6 * float(e.values.abs().sum())
    assert e.save(tmp_path / "speech.png").stat().st_size > 0
    assert pl.verify(model, sound).holds
