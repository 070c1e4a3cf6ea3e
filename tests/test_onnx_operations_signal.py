"""ONNX files: Fourier transforms, windows, losses and random numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.model.sources.onnx.operation import Node, find
from tests.onnx_oracle import agree, name, row

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def whole(value):
    return np.array(value, np.int64)


HANN = np.hanning(8).astype(np.float32)
REAL, COMPLEX = normal(2, 8, 1), normal(2, 8, 2)
SCORES, TARGET, WEIGHTS = normal(3, 5, 2), RNG.integers(0, 5, (3, 2)), np.abs(normal(5))
ROWS = [
    *(row("DFT", 17, x, axis=1, inverse=inverse) for x in (REAL, COMPLEX) for inverse in (0, 1)),
    row("DFT", 17, REAL, axis=1, onesided=1), row("DFT", 17, REAL, whole(6), axis=1), row("DFT", 17, REAL, whole(12), onesided=1),
    row("DFT", 20, normal(2, 8, 5, 1), None, whole(-2)), row("DFT", 20, normal(2, 8, 5, 2), None, whole(1), inverse=1),
    row("DFT", 20, normal(2, 5, 2), whole(8), whole(1), inverse=1, onesided=1, by="reference"),
    row("STFT", 17, normal(2, 16, 1), whole(4), HANN, whole(8)), row("STFT", 17, normal(2, 16), whole(4), HANN),
    row("STFT", 17, normal(2, 16, 1), whole(4), None, whole(8), onesided=0),
    row("STFT", 17, normal(2, 16, 2), whole(4), HANN, onesided=0, by="reference"),
    *(row(f"{kind}Window", 17, whole(10), periodic=way) for kind in ("Hann", "Hamming", "Blackman") for way in (0, 1)),
    row("HannWindow", 17, whole(9), output_datatype=11),
    row("MelWeightMatrix", 17, whole(8), whole(16), whole(8192), np.float32(0), np.float32(4096)),
    row("MelWeightMatrix", 17, whole(20), whole(256), whole(8000), np.float32(125), np.float32(3800)),
    *(row("NegativeLogLikelihoodLoss", 12, SCORES, TARGET, WEIGHTS, reduction=how) for how in ("none", "sum", "mean")),
    *(row("SoftmaxCrossEntropyLoss", 13, SCORES, TARGET, None, outputs=2, ignore_index=2, reduction=how)
      for how in ("none", "sum", "mean")),
    row("Dropout", 7, REAL), row("Dropout", 10, REAL), row("Dropout", 12, REAL, outputs=2),
    row("Rfft", 1, REAL[..., 0], domain="com.microsoft", signal_ndim=1, expected=[
        np.stack([np.fft.rfft(REAL[..., 0]).real, np.fft.rfft(REAL[..., 0]).imag], -1).astype(np.float32)]),
    row("Irfft", 1, COMPLEX, domain="com.microsoft", signal_ndim=1, expected=[
        np.fft.irfft(COMPLEX[..., 0] + 1j * COMPLEX[..., 1]).astype(np.float32)]),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "how"), ROWS, ids=name)
def test_an_operation_computes_what_onnxruntime_computes(operation, how):
    agree(*operation, **how)


def drawn(kind, *inputs, **attributes):
    return find(kind)(Node(kind, attributes.pop("name", "it"), 22, attributes), *inputs)


def test_random_numbers_are_those_of_the_seed_or_of_the_name():
    like, shape = torch.zeros(100, 200), {"shape": [100, 200]}
    state = torch.random.get_rng_state()
    for kind, inputs, how in (("RandomNormal", (), shape), ("RandomUniformLike", (like,), {}), ("Bernoulli", (like + 0.3,), {})):
        one, again = (drawn(kind, *inputs, seed=3.0, **how) for _ in range(2))
        assert torch.equal(one, again) and not torch.equal(one, drawn(kind, *inputs, seed=4.0, **how))
        assert torch.equal(drawn(kind, *inputs, **how), drawn(kind, *inputs, **how))
        assert not torch.equal(drawn(kind, *inputs, **how), drawn(kind, *inputs, name="another", **how))
    assert torch.equal(state, torch.random.get_rng_state()), "the generator of the caller is left as it was"


def test_random_numbers_have_the_distribution_that_is_asked_for():
    like = torch.zeros(200, 200)
    x = drawn("RandomNormal", shape=[200, 200], mean=2.0, scale=3.0)
    assert abs(x.mean() - 2) < 0.1 and abs(x.std() - 3) < 0.1 and x.dtype is torch.float32
    x = drawn("RandomUniformLike", like, low=-1.0, high=3.0, dtype=11)
    assert x.min() >= -1 and x.max() < 3 and abs(x.mean() - 1) < 0.05 and x.dtype is torch.float64
    x = drawn("Bernoulli", like + 0.3, dtype=7)
    assert set(x.unique().tolist()) == {0, 1} and abs(x.double().mean() - 0.3) < 0.02 and x.dtype is torch.int64
    x = drawn("Multinomial", torch.tensor([[0.1, 0.9, 0.0]]).log(), sample_size=2000)
    assert x.shape == (1, 2000) and x.dtype is torch.int32 and abs((x == 1).double().mean() - 0.9) < 0.03 and not (x == 2).any()


def test_a_file_that_trains_drops_a_share_and_makes_up_for_it():
    x = torch.ones(200, 200)
    y, kept = drawn("Dropout", x, torch.tensor(0.25), torch.tensor(True), seed=1)
    assert abs(kept.double().mean() - 0.75) < 0.02 and torch.equal(y, kept / 0.75)
    y, kept = drawn("Dropout", x, torch.tensor(0.25), torch.tensor(False))
    assert y is x and kept.all()
