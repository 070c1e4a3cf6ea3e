"""Convolutions, pools and normalisations of ONNX, old and new: as onnxruntime or the reference computes them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx_oracle import agree

RANDOM = np.random.default_rng(0)


def noise(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


LINE, PICTURE, VOLUME = noise(2, 4, 9), noise(2, 4, 7, 9), noise(1, 2, 5, 6, 7)
BYTES = RANDOM.integers(0, 255, (2, 3, 6, 7)).astype(np.uint8)
RULES = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")

CONVOLUTIONS = {
    "a line": (LINE, noise(3, 4, 3), noise(3), {"pads": [1, 1]}),
    "a volume": (VOLUME, noise(3, 2, 2, 3, 2), None, {"strides": [1, 2, 2]}),
    "margins that differ": (PICTURE, noise(3, 4, 3, 3), noise(3), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
    "groups with gaps": (PICTURE, noise(4, 1, 3, 2), None, {"group": 4, "dilations": [2, 3], "pads": [1, 2, 1, 2]}),
    **{rule: (PICTURE, noise(3, 4, 4, 3), noise(3), {"auto_pad": rule, "strides": [2, 2]}) for rule in RULES},
    "the same size with gaps": (
        PICTURE,
        noise(3, 4, 3, 2),
        None,
        {"auto_pad": "SAME_UPPER", "dilations": [2, 2], "by": "reference"},
    ),
}


@pytest.mark.parametrize("opset", [7, 11, 22])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution(case, opset):
    *inputs, attributes = CONVOLUTIONS[case]
    agree("Conv", opset, *inputs, **attributes)


TRANSPOSED = {
    "a line": (LINE, noise(4, 3, 3), noise(3), {"strides": [2], "output_padding": [1]}),
    "a volume": (VOLUME, noise(2, 3, 2, 3, 2), None, {"strides": [1, 2, 2]}),
    "margins that differ": (PICTURE, noise(4, 3, 3, 3), noise(3), {"strides": [2, 2], "pads": [0, 1, 2, 0]}),
    "groups with gaps": (PICTURE, noise(4, 2, 3, 2), noise(4), {"group": 2, "dilations": [2, 1], "pads": [1, 1, 1, 1]}),
    **{
        f"a shape, {rule}": (
            PICTURE,
            noise(4, 3, 3, 3),
            noise(3),
            {"strides": [3, 2], "auto_pad": rule, "output_shape": [20, 18]},
        )
        for rule in RULES
        if rule != "VALID"
    },
    **{rule: (PICTURE, noise(4, 3, 4, 3), None, {"auto_pad": rule, "strides": [2, 3]}) for rule in RULES},
    "a wide margin at the end": (PICTURE, noise(4, 3, 3, 3), noise(3), {"strides": [3, 3], "output_padding": [2, 1]}),
}


@pytest.mark.parametrize("opset", [7, 11, 22])
@pytest.mark.parametrize("case", TRANSPOSED)
def test_a_transposed_convolution(case, opset):
    *inputs, attributes = TRANSPOSED[case]
    agree("ConvTranspose", opset, *inputs, **attributes)


POOLS = {
    "a line": (LINE, {"kernel_shape": [3], "strides": [2]}),
    "a volume": (VOLUME, {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [1, 1, 0, 0, 1, 1]}),
    "margins": (PICTURE, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "margins that differ": (PICTURE, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 2, 1]}),
    **{rule: (PICTURE, {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": rule}) for rule in RULES},
}
ROUNDED_UP = {
    "rounded up": (PICTURE, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    "rounded up with margins": (PICTURE, {"kernel_shape": [3, 2], "strides": [3, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1}),
    "rounded up with equal margins": (PICTURE, {"kernel_shape": [2, 2], "strides": [4, 4], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
}
GAPS = {
    "gaps": (PICTURE, {"kernel_shape": [3, 2], "dilations": [2, 3]}),
    "gaps with margins": (PICTURE, {"kernel_shape": [2, 2], "dilations": [3, 2], "pads": [1, 1, 1, 0], "strides": [2, 1]}),
}


EVERY_POOL = {**POOLS, **ROUNDED_UP, **GAPS}


def versions(*opsets, ceil, gaps):
    """Every pool in every version that has it.

    Arguments:
        ceil, gaps: The versions that brought lengths rounded up, and gaps in windows.
    """
    since = {**dict.fromkeys(POOLS, 1), **dict.fromkeys(ROUNDED_UP, ceil), **dict.fromkeys(GAPS, gaps)}
    return [(case, opset) for case in EVERY_POOL for opset in opsets if opset >= since[case]]


@pytest.mark.parametrize(("case", "opset"), versions(7, 8, 10, 11, 12, 22, ceil=10, gaps=10))
def test_a_max_pool(case, opset):
    x, attributes = EVERY_POOL[case]
    agree("MaxPool", opset, x, **attributes)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("case", EVERY_POOL)
def test_where_the_largest_numbers_lie(case, order):
    x, attributes = EVERY_POOL[case]
    agree("MaxPool", 12, x, outputs=2, storage_order=order, **attributes)


def test_a_max_pool_of_bytes():
    agree("MaxPool", 12, BYTES, kernel_shape=[2, 3], strides=[2, 2])
    agree("MaxPool", 12, BYTES.view(np.int8), kernel_shape=[2, 3], pads=[1, 1, 1, 1])


@pytest.mark.parametrize("margins_count", [0, 1])
@pytest.mark.parametrize(("case", "opset"), versions(7, 10, 11, 19, 22, ceil=10, gaps=19))
def test_an_average_pool(case, opset, margins_count):
    x, attributes = EVERY_POOL[case]
    agree("AveragePool", opset, x, count_include_pad=margins_count, **attributes)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize(("case", "opset"), versions(7, 11, 18, 22, ceil=18, gaps=18))
def test_an_lp_pool(case, opset, p):
    x, attributes = EVERY_POOL[case]
    agree("LpPool", opset, x, p=p, **attributes)


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("x", [LINE, PICTURE, VOLUME], ids=["line", "picture", "volume"])
def test_a_pool_over_all_positions(kind, x):
    agree(kind, 7, x)
    agree(kind, 22, x, like=7)


def test_unpooling():
    x, at = noise(1, 2, 2, 2), np.array([0, 3, 10, 9, 17, 20, 25, 31], dtype=np.int64).reshape(1, 2, 2, 2)
    for opset in (9, 11):
        agree("MaxUnpool", opset, x, at, kernel_shape=[2, 2], strides=[2, 2])
        agree(
            "MaxUnpool", opset, x, at, np.array([1, 2, 5, 6]), kernel_shape=[2, 2], strides=[2, 2], by="reference", constant=[2]
        )


CHANNELS = (noise(4), noise(4), noise(4), noise(4) ** 2 + 0.5)


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_norm(opset):
    agree("BatchNormalization", opset, PICTURE, *CHANNELS, epsilon=1e-3)
    agree("BatchNormalization", opset, noise(5, 4), *CHANNELS)


def test_batch_norm_of_every_entry():
    entries = [noise(4, 7, 9) for _ in range(3)] + [noise(4, 7, 9) ** 2 + 0.5]
    agree("BatchNormalization", 7, PICTURE, *entries, spatial=0)


def test_batch_norm_by_the_statistics_of_the_batch():
    agree("BatchNormalization", 14, PICTURE, *CHANNELS, training_mode=1, outputs=3, momentum=0.7)


def test_batch_norm_of_the_first_versions_uses_the_statistics_of_the_file_where_it_makes_no_new_ones():
    scale, shift, mean, variance = (one.reshape(1, 4, 1, 1) for one in CHANNELS)
    expected = (PICTURE - mean) / np.sqrt(variance + 1e-5) * scale + shift
    for opset, how in ((1, {"is_test": 1, "consumed_inputs": [0] * 5}), (6, {"is_test": 1}), (6, {})):
        agree("BatchNormalization", opset, PICTURE, *CHANNELS, **how, expected=[expected])


NORMS = {
    "InstanceNormalization": (7, (PICTURE, CHANNELS[0], CHANNELS[1]), {"epsilon": 1e-3}),
    "LRN": (7, (PICTURE,), {"size": 3, "alpha": 0.2, "beta": 0.6, "bias": 2.0}),
    "LpNormalization": (7, (PICTURE,), {"axis": 1, "p": 1}),
    "MeanVarianceNormalization": (9, (PICTURE,), {"axes": [0, 2, 3]}),
    "LayerNormalization": (17, (PICTURE, noise(7, 9), noise(7, 9)), {"axis": 2, "epsilon": 1e-3}),
    "GroupNormalization": (21, (PICTURE, CHANNELS[0], CHANNELS[1]), {"num_groups": 2}),
    "RMSNormalization": (23, (PICTURE, noise(9)), {"axis": -1}),
}


@pytest.mark.parametrize("kind", NORMS)
def test_a_normalisation(kind):
    opset, inputs, attributes = NORMS[kind]
    agree(kind, opset, *inputs, **attributes)


def test_old_and_rare_normalisations():
    agree("LRN", 13, noise(4, 4, 3, 5), size=4, by="reference")
    agree("LayerNormalization", 17, PICTURE, noise(9), noise(9), outputs=3)
    agree("LayerNormalization", 17, PICTURE, noise(9), outputs=3, by="reference")
    agree("MeanVarianceNormalization", 13, PICTURE)
    grouped = PICTURE.reshape(2, 2, -1)
    scaled = (grouped - grouped.mean(2, keepdims=True)) / np.sqrt(grouped.var(2, keepdims=True) + 1e-5)
    expected = (scaled * [[[2], [3]]] + [[[1], [-1]]]).reshape(PICTURE.shape).astype(np.float32)
    scale, shift = np.array([2, 3], dtype=np.float32), np.array([1, -1], dtype=np.float32)
    agree("GroupNormalization", 18, PICTURE, scale, shift, num_groups=2, expected=[expected])


@pytest.mark.parametrize("opset", [19, 22])
def test_a_deformable_convolution(opset):
    offset, mask = noise(2, 2 * 2 * 9, 5, 7) * 2, np.abs(noise(2, 2 * 9, 5, 7))
    weight = noise(4, 2, 3, 3)
    how = {"group": 2, "offset_group": 2, "by": "reference"}
    agree("DeformConv", opset, PICTURE, weight, offset, noise(4), mask, **how)
    wide = noise(2, 2 * 2 * 9, 3, 3)
    agree("DeformConv", opset, PICTURE, weight, wide, **how, dilations=[2, 2], strides=[2, 2], pads=[1, 0, 1, 0])
