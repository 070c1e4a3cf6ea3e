"""ONNX files: reductions and products of matrices compute what onnxruntime computes, in old versions and new ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx_oracle import agree, name, row

RNG = np.random.default_rng(0)
P = np.abs(RNG.standard_normal((2, 3, 4))).astype(np.float32) + 0.1
TIES = RNG.integers(0, 3, (3, 5))
SMALL = RNG.integers(1, 5, (2, 3)).astype(np.int32)
LARGE = np.array([[2**64 - 1, 1, 2**63, 2**63 - 1]], np.uint64)
REDUCTIONS = [f"Reduce{name}" for name in "Sum Mean Prod L1 L2 SumSquare LogSum LogSumExp Max Min".split()]
SELU = {"activation": "Selu", "activation_alpha": 1.5, "activation_gamma": 1.2}
BOTH_TURNED = ("transA", "transB", "transBatchA", "transBatchB")


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def axes(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_axes_stand_in_the_node_or_come_as_an_input(kind):
    for version in (1, 11):
        for how in ({"axes": [1]}, {"axes": [0, 2], "keepdims": 0}, {}, {"axes": [-1]}):
            agree(kind, version, P, like=11, **how)
    for given in (axes(1), axes(0, -1), axes(), None):
        agree(kind, 13 if kind == "ReduceSum" else 18, P, given, keepdims=0)
    agree(kind, 11, SMALL, axes=[1])


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_without_axes_all_are_reduced_or_none(kind):
    version = 13 if kind == "ReduceSum" else 18
    agree(kind, version, P, axes(), noop_with_empty_axes=1, by="reference")
    agree(kind, version, P, None, noop_with_empty_axes=1, by="reference")
    agree(kind, version, np.float32(2.5), axes())


ROWS = [
    *(row("ReduceMax", 12, TIES.astype(kind), axes=[1]) for kind in ("uint8", "int8", "int64")),
    row("ReduceMin", 18, LARGE, axes(1), expected=[np.array([[1]], np.uint64)]),
    row("ReduceMax", 18, LARGE, axes(1), expected=[LARGE[:, :1]]),
    row("ReduceSum", 13, LARGE, axes(1), by="reference"),
    *(row(kind, 1, TIES.astype(np.float32), like=11) for kind in ("ArgMax", "ArgMin")),
    *(row(kind, 11, TIES.astype(np.float32), axis=1, keepdims=0) for kind in ("ArgMax", "ArgMin")),
    *(row(kind, 12, TIES.astype(np.float32), axis=-1, select_last_index=1) for kind in ("ArgMax", "ArgMin")),
    row("ArgMax", 13, LARGE, axis=1, expected=[np.array([[0]])]),
    *(row("CumSum", 11, P, np.int64(1), exclusive=e, reverse=r) for e in (0, 1) for r in (0, 1)),
    *(row("CumProd", 26, P, np.int64(1), exclusive=e, reverse=r, by="reference") for e in (0, 1) for r in (0, 1)),
    row("CumSum", 14, SMALL, np.int32(-1)),
    row("TopK", 1, P, k=2, axis=1, outputs=2), row("TopK", 10, P, axes(2), outputs=2),
    row("TopK", 11, P, axes(1), outputs=2, largest=0, axis=0), row("TopK", 11, TIES, axes(3), outputs=2),
    row("TopK", 24, LARGE, axes(2), outputs=2, expected=[LARGE[:, [0, 2]], np.array([[0, 2]])]),
    row("MatMul", 1, P, normal(4, 5), like=9), row("MatMul", 13, P[0, 0], normal(4)), row("MatMul", 9, SMALL, SMALL.T),
    row("MatMul", 9, LARGE, LARGE.T, by="reference"),
    *(row("Gemm", 11, P[0], normal(5, 4), c, transB=1) for c in (normal(5), normal(1, 5), normal(3, 1), normal(3, 5), normal(1))),
    *(row("Gemm", 11, P[0], normal(5, 4), c, transB=1, alpha=0.5, beta=2.0) for c in (normal(5), normal(3, 5), np.float32(2))),
    row("Gemm", 13, P[0], normal(3, 5), None, transA=1), row("Gemm", 7, P[0], normal(4, 5), normal(1)),
    row("Einsum", 12, P, normal(2, 4, 5), equation="bij,bjk->bik"), row("Einsum", 12, P, normal(4), equation="...i,i"),
    row("Einsum", 12, normal(3, 3), equation="ii"), row("Einsum", 12, normal(3), normal(4), equation="i , j"),
    row("Einsum", 12, SMALL, SMALL, equation="ij,kj->ik"), row("Det", 11, normal(2, 3, 3)),
    row("Trilu", 14, P, np.int64(1)), row("Trilu", 14, P, upper=0), row("Trilu", 14, P > 1, np.int64(-1), upper=0),
    row("EyeLike", 9, P[0], k=1), row("EyeLike", 9, SMALL, dtype=1, k=-1),
    row("FusedMatMul", 1, P, normal(2, 5, 4), domain="com.microsoft", transB=1, alpha=0.5),
    row("FusedMatMul", 1, normal(2, 4, 3), normal(2, 4, 5), domain="com.microsoft", transA=1),
    row("FusedMatMul", 1, normal(3, 2, 4), normal(2, 4, 5), domain="com.microsoft", transBatchA=1),
    row("FusedMatMul", 1, normal(4, 2, 3), normal(5, 2, 4), domain="com.microsoft", **dict.fromkeys(BOTH_TURNED, 1)),
    row("FusedGemm", 1, P[0], normal(4, 5), normal(5), domain="com.microsoft", activation="LeakyRelu", activation_alpha=0.2),
    row("FusedGemm", 1, P[0], normal(4, 5), normal(5), domain="com.microsoft", **SELU),
    *(row("CDist", 1, P[0], normal(5, 4), domain="com.microsoft", metric=name) for name in ("euclidean", "sqeuclidean")),
    row("TransposeMatMul", 1, P, normal(2, 5, 4), domain="com.microsoft", transB=1),
    row("Inverse", 1, normal(2, 3, 3), domain="com.microsoft", atol=1e-3),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "how"), ROWS, ids=name)
def test_an_operation_computes_what_onnxruntime_computes(operation, how):
    agree(*operation, **how)


def test_a_dense_layer_before_version_7_says_that_its_offset_is_repeated():
    x, w, b = P[0], normal(4, 5), normal(5)
    agree("Gemm", 6, x, w, b, broadcast=1, expected=[x @ w + b])
    agree("Gemm", 1, x, w, np.zeros((3, 5), np.float32), expected=[x @ w])
