"""Attention and its neighbours as onnxruntime's optimiser writes them, against onnxruntime."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.onnx_oracle import agree

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
    from tests.onnx_oracle import model, runtime

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
