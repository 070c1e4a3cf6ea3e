"""Quantised layers of transformers, as onnxruntime computes them."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tests.onnx_oracle import agree

RANDOM = np.random.default_rng(0)
THEIRS = {"domain": "com.microsoft"}


def noise(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(*shape, dtype=np.uint8):
    return RANDOM.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


def real(*values):
    return np.array(values if len(values) > 1 else values[0], dtype=np.float32)


def byte(value, dtype=np.uint8):
    return np.array(value, dtype=dtype)


@pytest.mark.parametrize("scales", ["one", "each column"])
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(scales, causal):
    x, weight = whole(2, 5, 8), whole(8, 24, dtype=np.int8)
    by = real(0.004) if scales == "one" else (RANDOM.random(24) * 0.004 + 0.002).astype(np.float32)
    zero = byte(0, np.int8) if scales == "one" else np.zeros(24, dtype=np.int8)
    inputs = (x, weight, noise(24), real(0.01), by, np.array([5, 3], dtype=np.int32), byte(120), zero)
    agree("QAttention", 1, *inputs, **THEIRS, num_heads=2, unidirectional=causal, atol=1e-4, constant=[1, 2, 4, 7])


def test_embeddings():
    tables = (whole(11, 8), whole(6, 8), whole(2, 8), whole(8), whole(8))
    ids, kinds, mask = (RANDOM.integers(0, n, (2, 5)).astype(np.int32) for n in (11, 2, 2))
    scales, zeros = [real(0.02)] * 5, [byte(z) for z in (120, 100, 90, 3, 200)]
    agree("QEmbedLayerNormalization", 1, ids, kinds, *tables, np.sort(mask)[:, ::-1].copy(), *scales, *zeros, **THEIRS, outputs=2,
          atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("kind", [0, 1])
def test_weights_that_are_each_one_of_16_numbers(kind):
    how = {"K": 24, "N": 5, "block_size": 16, "quant_type": kind, "constant": [1, 2]}
    agree("MatMulBnb4", 1, noise(2, 3, 24), whole(60), np.abs(noise(8)), **THEIRS, **how, atol=1e-4)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
def test_tables_in_bytes(bits, zeros):
    indices, scales = np.array([[1, 3, 0], [-1, 2, 2]]), np.abs(noise(6, 3))
    points = [whole(6, 3 if bits == 8 else 2)] if zeros else []
    how = {"bits": bits, "block_size": 16, "gather_axis": 0, "quantize_axis": 1}
    agree("GatherBlockQuantized", 1, whole(6, 48 * bits // 8), indices, scales, *points, **THEIRS, **how)


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, ml_dtypes.uint4])
@pytest.mark.parametrize(("axis", "across"), [(0, 1), (1, 0), (0, 2)])
def test_tables_of_four_bits(dtype, axis, across):
    low, high = (-8, 7) if dtype is ml_dtypes.int4 else (0, 15)
    table = RANDOM.integers(low, high, (20, 20, 4), endpoint=True).astype(dtype)
    blocks = [20, 20, 4]
    blocks[across] = -(-blocks[across] // 16)
    zeros = RANDOM.integers(low, high, blocks, endpoint=True).astype(dtype)
    how = {"block_size": 16, "gather_axis": axis, "quantize_axis": across, "constant": [0, 2, 3]}
    agree("GatherBlockQuantized", 1, table, np.array([[1, 19], [3, 3]]), np.abs(noise(*blocks)), zeros, **THEIRS, **how)


def test_twins_of_layers_of_the_standard():
    agree("GridSample", 1, noise(2, 3, 4, 5), noise(2, 3, 3, 2), **THEIRS)
    agree("Pad", 1, noise(3, 4), np.array([1, 0, 2, 3]), real(2.0).reshape(1), **THEIRS, constant=[1, 2])
    agree("NhwcMaxPool", 1, whole(2, 6, 7, 3), **THEIRS, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
    q = whole(2, 3, 4)
    mean = np.round((q - np.float32(7)).mean(-1) * np.float32(0.02 / 0.03)) + 9
    agree("QLinearReduceMean", 1, q, real(0.02), byte(7), real(0.03), byte(9), **THEIRS, axes=[-1], keepdims=0,
          expected=[mean.clip(0, 255).astype(np.uint8)])  # fmt: skip
