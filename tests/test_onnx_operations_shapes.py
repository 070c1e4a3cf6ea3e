"""Operations that move entries about, in old and new versions, against onnxruntime, or numpy where it lacks a version."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from tests.onnx_oracle import agree

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
WORDS = np.array([["a", "b", "c"], ["d", "e", "f"]], dtype=object)
AT = np.array([[0, -1], [2, 1]])


def whole(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


ENDS = np.iinfo(np.int64)
REDUCTIONS = ("add", "mul", "max", "min")
CASES = [
    ("Gather", 1, (X, np.array([[0, 2], [1, 1]])), {"axis": 1}),
    ("Gather", 11, (X, AT), {"axis": -2}),
    ("Gather", 13, (X, np.array(-1)), {"axis": 2}),
    ("Gather", 13, (WORDS, whole(2, 0)), {"axis": 1}),
    ("GatherElements", 11, (X[0], np.array([[0, -1, 1, 2]])), {}),
    ("GatherElements", 13, (WORDS, np.array([[2], [-1]])), {"axis": 1}),
    ("GatherND", 11, (X, np.array([[[0, 1]], [[1, -1]]])), {}),
    ("GatherND", 12, (X, np.array([[[0], [1]], [[2], [0]]])), {"batch_dims": 1}),
    ("Scatter", 9, (X[0], np.array([[0, 1, 2, 0]]), X[1, :1]), {}),
    ("ScatterElements", 11, (X[0], np.array([[0, -1]]), X[1, :1, :2]), {"axis": 1}),
    *[("ScatterElements", 18, (X[0], whole(1, 1)[None], X[1, :1, :2]), {"axis": 1, "reduction": how}) for how in REDUCTIONS],
    ("ScatterND", 11, (X, np.array([[0, 1], [1, -1]]), X[0, :2]), {}),
    *[("ScatterND", 18, (X, np.array([[0, 1], [0, 1]]), X[1, :2]), {"reduction": how}) for how in REDUCTIONS],
    ("Slice", 1, (X,), {"starts": [0, 1], "ends": [2, -1], "axes": [0, 2]}),
    ("Slice", 1, (X,), {"starts": [0, -2], "ends": [1, 100]}),
    ("Slice", 10, (X, whole(-1, 3), whole(ENDS.min, -100), whole(1, 2), whole(-1, -2)), {}),
    ("Slice", 13, (X, whole(0), whole(ENDS.max), whole(-1), whole(3)), {}),
    ("Slice", 13, (WORDS, whole(2), whole(0), whole(1), whole(-1)), {}),
    ("Split", 2, (X,), {"axis": 2, "outputs": 2}),
    ("Split", 11, (X,), {"axis": -1, "split": [1, 3], "outputs": 2}),
    ("Split", 13, (X, whole(1, 2)), {"axis": 1, "outputs": 2}),
    ("Split", 18, (X,), {"axis": 1, "num_outputs": 2, "outputs": 2}),
    ("Concat", 4, (X, X[:, :1]), {"axis": 1}),
    ("Concat", 11, (WORDS, WORDS[:1]), {"axis": -2}),
    ("Squeeze", 1, (X[:, :1],), {"axes": [1]}),
    ("Squeeze", 11, (X[:1, :1],), {}),
    ("Squeeze", 13, (X[:1, :1], whole(-2)), {}),
    ("Unsqueeze", 1, (X,), {"axes": [0, 4]}),
    ("Unsqueeze", 13, (X, whole(-1, 1)), {}),
    ("Unsqueeze", 13, (WORDS, whole(1)), {}),
    ("Reshape", 5, (X, whole(0, -1)), {}),
    ("Reshape", 14, (X[:0], whole(0, 12)), {"allowzero": 1}),
    ("Flatten", 1, (X,), {"axis": 2}),
    ("Flatten", 9, (X,), {"axis": 0}),
    ("Flatten", 11, (X,), {"axis": -1}),
    ("Transpose", 1, (X,), {}),
    ("Transpose", 13, (X,), {"perm": [1, 0, 2]}),
    ("Expand", 8, (X[:, :1], whole(3, 1)), {}),
    ("Expand", 13, (X[0], whole(2, 1, 1)), {}),
    ("Tile", 6, (X, whole(1, 2, 2)), {}),
    ("Shape", 15, (X,), {"start": -2, "end": 3}),
    ("Size", 1, (X,), {}),
    ("Range", 11, (np.array(3), np.array(-4), np.array(-2)), {}),
    ("Range", 11, (np.float32(0), np.float32(1), np.float32(0.3)), {}),
    ("Range", 11, (np.array(3), np.array(1), np.array(1)), {}),
    ("Where", 9, (X > 0, X, np.float32(7)), {}),
    ("Compress", 9, (X, np.array([False, True, True])), {"axis": 1}),
    ("Compress", 11, (X, np.array([True, False, True])), {}),
    ("NonZero", 9, (np.maximum(X, 0),), {}),
    ("OneHot", 9, (np.array([[0, 2]]), np.array(3), np.array([-1.0, 5.0], np.float32)), {"axis": 1}),
    ("OneHot", 11, (np.array([0, -1, 7]), whole(3), np.array([0, 1])), {}),
    ("ReverseSequence", 10, (X, whole(1, 2, 2)), {}),
    ("ReverseSequence", 10, (X, whole(1, 3)), {"time_axis": 1, "batch_axis": 0}),
    ("Unique", 11, (np.array([2.0, 1.0, 1.0, 3.0, 2.0], np.float32),), {"outputs": 4}),
    ("Unique", 11, (np.array([2.0, 1.0, 1.0, 3.0, 2.0], np.float32),), {"sorted": 0, "outputs": 4}),
    ("Unique", 11, (np.array([[1, 0], [1, 0], [0, 3]]),), {"axis": 0, "outputs": 4}),
    ("StringConcat", 20, (WORDS, WORDS[0, :1]), {}),
    ("StringSplit", 20, (np.array([["a,b", "c"]], dtype=object),), {"delimiter": ",", "outputs": 2}),
    ("StringNormalizer", 10, (WORDS[0],), {"stopwords": ["B"], "case_change_action": "UPPER", "locale": "C"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_entries_are_moved_as_onnxruntime_moves_them(case):
    kind, opset, inputs, attributes = case
    agree(kind, opset, *inputs, **attributes)


def test_versions_from_before_onnxruntime_mean_what_the_standard_says():
    agree("Reshape", 1, X, shape=[0, -1], expected=[X.reshape(2, 12)])
    agree("Tile", 1, X, np.array(2), np.array(1), expected=[np.tile(X, (1, 2, 1))])
    agree("Concat", 1, X, X, expected=[np.concatenate([X, X], 1)])
    agree("Split", 1, X, whole(1, 3), axis=2, outputs=2, expected=[X[..., :1], X[..., 1:]])


def test_the_shape_of_what_is_made_stands_in_the_file():
    value = numpy_helper.from_array(np.array([7], np.int32))
    agree("ConstantOfShape", 9, whole(2, 3), value=value)
    agree("ConstantOfShape", 20, whole(2), constant=[0])


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skips", [0, 2])
def test_runs_of_words_are_counted_as_onnxruntime_counts_them(mode, skips):
    pool = {"min_gram_length": 1, "max_gram_length": 2, "max_skip_count": skips, "mode": mode, "ngram_counts": [0, 3]}
    pool |= {"ngram_indexes": list(range(5)), "weights": [0.5, 1.0, 2.0, 3.0, 4.0]}
    agree("TfIdfVectorizer", 9, np.array([[1, 2, 1, 3], [3, 3, 1, 2]]), pool_int64s=[1, 2, 3, 1, 2, 3, 1], **pool)
    agree("TfIdfVectorizer", 9, np.array(["a", "b", "a"], dtype=object), pool_strings=["a", "b", "c", "a", "b", "b", "a"], **pool)
