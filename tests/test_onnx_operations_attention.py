"""Attention and its neighbours as onnxruntime's optimiser writes them, against onnxruntime."""

from __future__ import annotations

from functools import partial
from math import log
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.onnx_oracle import agree, model, runtime

RANDOM = np.random.default_rng(0)
fused = partial(agree, domain="com.microsoft", atol=2e-5)


def numbers(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def ints(*values: Any) -> Any:
    return np.array(values, np.int32)


X, SCALE, SHIFT = numbers(2, 3, 8), numbers(8), numbers(8)
SEEN = ints([1, 1, 1], [1, 1, 0])
MASKS = {
    "none": None,
    "of keys": SEEN,
    "lengths": ints(3, 2),
    "ends and starts": ints(3, 2, 0, 1),
    "of queries and keys": ints(*(np.tri(3) + RANDOM.integers(0, 2, (2, 3, 3)) > 0)),
}


def test_sums_and_their_norms():
    fused("SkipLayerNormalization", 1, X, numbers(2, 3, 8), SCALE, SHIFT, epsilon=1e-5)
    fused("SkipLayerNormalization", 1, X, numbers(3, 8), SCALE, SHIFT, numbers(8), epsilon=1e-5)
    fused("SkipSimplifiedLayerNormalization", 1, X, numbers(2, 3, 8), SCALE, epsilon=1e-5)
    agree("SimplifiedLayerNormalization", 17, X, SCALE, axis=-1, epsilon=1e-5)


def test_embeddings_and_their_norm():
    ids, kinds = ints([1, 2, 3], [0, 4, 1]), ints([0, 0, 1], [0, 1, 1])
    words, places = numbers(9, 8), numbers(5, 8)
    fused("EmbedLayerNormalization", 1, ids, kinds, words, places, numbers(2, 8), SCALE, SHIFT, SEEN, outputs=2, epsilon=1e-5)
    fused("EmbedLayerNormalization", 1, ids, None, words, places, None, SCALE, SHIFT, outputs=2, epsilon=1e-5)


@pytest.mark.parametrize("interleaved", [0, 1])
def test_entries_are_turned_by_their_place(interleaved):
    angles, places = (numbers(6, 2), numbers(6, 2)), np.array([[0, 1, 2], [1, 2, 3]])
    fused("RotaryEmbedding", 1, numbers(2, 2, 3, 4), places, *angles, interleaved=interleaved)
    fused("RotaryEmbedding", 1, X, np.array([1]), *angles, interleaved=interleaved)
    partly = {"num_heads": 2, "rotary_embedding_dim": 4, "interleaved": interleaved}
    fused("RotaryEmbedding", 1, numbers(2, 3, 16), places, *angles, **partly)


@pytest.mark.parametrize("ahead", [0, 1], ids=["both ways", "causal"])
@pytest.mark.parametrize("mask", MASKS)
def test_attention_that_makes_its_own_queries(mask, ahead):
    fused("Attention", 1, X, numbers(8, 24), numbers(24), MASKS[mask], num_heads=2, unidirectional=ahead)


def test_attention_with_what_came_before_and_values_of_another_size():
    for ahead in (0, 1):
        past = numbers(2, 2, 2, 4, 4)
        fused("Attention", 1, X, numbers(8, 24), numbers(24), None, past, num_heads=2, unidirectional=ahead, outputs=2)
        fused("Attention", 1, X, numbers(8, 24), numbers(24), None, None, numbers(2, 2, 3, 3), num_heads=2, unidirectional=ahead)
    fused("Attention", 1, X, numbers(8, 20), numbers(20), num_heads=2, qkv_hidden_sizes=[8, 8, 4], scale=0.3)


@pytest.mark.parametrize("ahead", [0, 1], ids=["both ways", "causal"])
def test_attention_of_given_queries(ahead):
    given = {"num_heads": 2, "unidirectional": ahead}
    pair = (numbers(2, 3, 8), numbers(2, 3, 8))
    fused("MultiHeadAttention", 1, X, *pair, numbers(24), SEEN, numbers(2, 2, 3, 3), **given)
    fused("MultiHeadAttention", 1, X, *pair, None, None, None, numbers(2, 2, 4, 4), numbers(2, 2, 4, 4), outputs=3, **given)
    fused("MultiHeadAttention", 1, X, numbers(2, 2, 5, 4), numbers(2, 2, 5, 4), num_heads=2)


def test_packed_queries_keys_and_values_are_those_side_by_side():
    q, k, v = numbers(3, 2, 3, 2, 4)
    parts = (one.reshape(2, 3, 8) for one in (q, k, v))
    proto = model("MultiHeadAttention", 1, given := list(parts), domain="com.microsoft", num_heads=2)
    expected = runtime(proto, given)
    fused("MultiHeadAttention", 1, np.stack([q, k, v], 3), num_heads=2, expected=expected)
    fused("MultiHeadAttention", 1, given[0], np.stack([k, v], 3), None, num_heads=2, expected=expected)


GROUPED = {"num_heads": 4, "kv_num_heads": 2, "outputs": 3}


@pytest.mark.parametrize("options", [{}, {"softcap": 2.0}, {"local_window_size": 2}, {"scale": 0.5}], ids=str)
def test_attention_of_groups_of_queries(options):
    ends = (None, None, ints(3, 3), np.array(4, np.int32))
    fused("GroupQueryAttention", 1, numbers(2, 4, 64), numbers(2, 4, 32), numbers(2, 4, 32), *ends, **GROUPED, **options)
    fused("GroupQueryAttention", 1, numbers(2, 4, 128), None, None, *ends, **GROUPED, **options)


@pytest.mark.parametrize("interleaved", [0, 1])
def test_attention_of_groups_with_a_cache_and_places(interleaved):
    new, angles = (numbers(2, 1, 64), numbers(2, 1, 32), numbers(2, 1, 32)), (numbers(8, 8), numbers(8, 8))
    cache = (numbers(2, 2, 3, 16), numbers(2, 2, 3, 16))
    turned = {"do_rotary": 1, "rotary_interleaved": interleaved, **GROUPED}
    fused("GroupQueryAttention", 1, *new, *cache, ints(3, 2), np.array(4, np.int32), *angles, **turned)


def steps(*shape: int) -> Any:
    return RANDOM.integers(0, 255, shape).astype(np.uint8)


@pytest.mark.parametrize("mask", [None, SEEN], ids=["all", "masked"])
def test_attention_of_whole_numbers(mask):
    scales, zero = (np.array(0.02, np.float32), np.array(0.01, np.float32)), np.array(128, np.uint8)
    fused("QAttention", 1, steps(2, 3, 8), steps(8, 24), numbers(24), *scales, mask, zero, zero, num_heads=2)


@pytest.mark.parametrize("zeros", [None, steps(20, 1)], ids=["in the middle", "given"])
def test_rows_of_a_table_whose_blocks_share_a_scale(zeros):
    at, scales = np.array([[1, 3], [19, 0]]), numbers(20, 2)
    fixed = [0, 2] if zeros is None else [0, 2, 3]
    fused("GatherBlockQuantized", 1, steps(20, 16), at, scales, zeros, constant=fixed, bits=4, block_size=16, quantize_axis=1)
    fused("GatherBlockQuantized", 1, steps(20, 32), at, scales, constant=[0, 2], bits=8, block_size=16, quantize_axis=1)


@pytest.mark.parametrize("both_ways", [0, 1])
def test_distances_share_a_bias_the_more_the_further_they_are(both_ways):
    """Bucket by bucket, as Raffel et al. (2020) have it."""
    table, length = numbers(8, 3), 12
    expected = np.zeros((1, 3, length, length), np.float32)
    count = 4 if both_ways else 8
    for query in range(length):
        for key in range(length):
            far = abs(key - query) if both_ways else max(query - key, 0)
            half = count // 2
            bucket = far if far < half else min(count - 1, half + int(log(far / half) / log(10 / half) * (count - half)))
            expected[0, :, query, key] = table[bucket + (count if both_ways and key > query else 0)]
    sizes = (np.array(length), np.array(length))
    fused("RelativePositionBias", 1, table, *sizes, max_distance=10, is_bidirectional=both_ways, expected=[expected])


def test_norms_of_groups_of_channels_that_lie_last():
    x, scale, shift, skip = numbers(2, 4, 5, 8), numbers(8), numbers(8), numbers(2, 8)
    turned = torch.from_numpy(x + skip[:, None, None]).movedim(-1, 1)
    made = F.silu(F.group_norm(turned, 2, torch.from_numpy(scale), torch.from_numpy(shift), 1e-3)).movedim(1, -1)
    options = {"groups": 2, "activation": 1, "epsilon": 1e-3}
    expected = [made.numpy(), x + skip[:, None, None]]
    fused("SkipGroupNorm", 1, x, scale, shift, skip, outputs=2, expected=expected, **options)
    fused("GroupNorm", 1, expected[1], scale, shift, expected=expected[:1], **options)


def test_operations_of_the_standard_under_the_name_of_onnxruntime():
    fused("Trilu", 1, numbers(3, 4), np.array(1), upper=0)
    fused("Pad", 1, numbers(3, 4), np.array([0, 1, 1, 0]), np.array([2.0], np.float32))
    fused("GatherND", 1, numbers(3, 4), np.array([[0, 1], [2, 3]]))
    fused("Range", 1, np.array([1]), np.array([7]), np.array([2]))
    fused("ExpandDims", 1, numbers(3, 4), np.array(1, np.int32), constant=[1])
    fused("CausalConvWithState", 1, numbers(2, 4, 5), numbers(4, 1, 3), numbers(4), outputs=2, activation="silu")
    rates = {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "gated_delta", "outputs": 2}
    strength = 1 / (1 + np.exp(-numbers(2, 3, 2)))
    fused("LinearAttention", 1, numbers(2, 3, 8), numbers(2, 3, 8), numbers(2, 3, 8), None, numbers(2, 3, 2), strength, **rates)
