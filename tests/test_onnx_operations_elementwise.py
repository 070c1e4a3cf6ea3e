"""ONNX files: arithmetic, activations, comparisons and bits compute what onnxruntime computes, in old versions and new ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.onnx_oracle import agree, name, row

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 4)).astype(np.float32)
P = np.abs(X) + 0.1
COLUMN, ROW = P[0, :, :1], P[1, 0]
I = RNG.integers(-9, 10, (3, 4)).astype(np.int32)  # noqa: E741
U = RNG.integers(0, 200, (3, 4))
LARGE = np.array([2**64 - 1, 2**63, 5, 2**64 - 1, 0], np.uint64), np.array([3, 2**63 + 1, 7, 2**64 - 1, 1], np.uint64)
SLOPE = np.array([0.1, 0.2, 0.3], np.float32)
AT_ONE = SLOPE[:, None]  # where "axis" is 1
S = np.float32
INFINITE = np.array([1, np.inf, -np.inf, np.nan], S)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")

OLD = "Abs Neg Reciprocal Sqrt Exp Log Ceil Floor Sigmoid Tanh Relu Elu LeakyRelu Selu HardSigmoid Softplus Softsign".split()
NEWER = dict.fromkeys("Sin Cos Tan Asin Acos Atan".split(), 7) | dict.fromkeys(
    "Sinh Cosh Asinh Acosh Atanh Erf Sign IsNaN".split(), 9
)
TWO = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power}
CONDITIONS = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}


@pytest.mark.parametrize("kind", OLD)
def test_functions_of_one_number_are_the_same_since_version_1(kind):
    for version in (1, 6):
        agree(kind, version, X, like=13)


@pytest.mark.parametrize("kind", NEWER)
def test_functions_of_one_number_that_came_later(kind):
    agree(kind, NEWER[kind], X)


@pytest.mark.parametrize("kind", TWO)
def test_operands_of_unlike_shapes_are_laid_on_each_other(kind):
    for other in (P, COLUMN, ROW, S(2)):
        agree(kind, 7, P, other)
    agree(kind, 6, P, SLOPE, broadcast=1, axis=1, expected=[TWO[kind](P, AT_ONE)])
    agree(kind, 1, P, ROW, broadcast=1, expected=[TWO[kind](P, ROW)])


@pytest.mark.parametrize("kind", CONDITIONS)
def test_conditions_too(kind):
    a, b = X > 0, X[::-1] > 0
    agree(kind, 7, a, b)
    agree(kind, 1, a, b[0, :, 0], broadcast=1, axis=1, expected=[CONDITIONS[kind](a, b[0, :, :1])])


ROWS = [
    *(row(kind, 6, X, X + 1, -X) for kind in ("Max", "Min", "Sum", "Mean")),
    *(row(kind, 8, X, ROW) for kind in ("Max", "Min", "Sum", "Mean")),
    row("Max", 8, X), row("Max", 12, I, I[::-1]), row("Min", 12, *LARGE),
    row("Clip", 6, X, min=-0.5, max=0.5), row("Clip", 6, X),
    row("Clip", 11, X, S(-0.5), None), row("Clip", 11, X, None, S(0.5)), row("Clip", 13, X, S(0.5), S(-0.5)),
    row("Clip", 11, X, S(0), S(6), constant=(1, 2)), row("Clip", 11, X, S(0), constant=(1,)), row("Clip", 11, X),
    row("Clip", 12, I, np.int32(-2), np.int32(2)), row("Clip", 12, LARGE[0], np.uint64(3), np.uint64(2**63)),
    row("PRelu", 7, X, AT_ONE), *(row("PRelu", 9, X, slope) for slope in (AT_ONE, ROW, ROW[:1], P)),
    *(row(kind, 11, X, axis=axis) for kind in ("Softmax", "LogSoftmax", "Hardmax") for axis in (0, 1, 2, -1)),
    *(row(kind, 13, X, axis=axis) for kind in ("Softmax", "LogSoftmax", "Hardmax") for axis in (0, 1, 2, -1)),
    row("Softmax", 1, X, like=11), row("Softmax", 13, X),
    row("ThresholdedRelu", 10, X, alpha=0.3), row("Celu", 12, X, alpha=2.0), row("HardSwish", 14, X), row("Mish", 18, X),
    row("Gelu", 20, X), row("Gelu", 20, X, approximate="tanh"), row("Selu", 6, X, alpha=2.0, gamma=1.5),
    row("HardSigmoid", 6, X, alpha=1 / 6), row("Swish", 24, X, alpha=1.5, by="reference"),
    *(row("Shrink", 9, X, lambd=0.5, bias=bias) for bias in (0.0, 0.1, 0.5)), row("Shrink", 9, I, lambd=2.0, bias=1.0),
    row("Mod", 10, I, np.int32(3)), row("Mod", 10, I, np.int32(-3)), row("Mod", 10, I, np.int32(3), fmod=1),
    row("Mod", 10, X, P, fmod=1), row("Mod", 10, *LARGE), row("Div", 14, *LARGE), row("Div", 14, I, np.int32(4)),
    row("Pow", 13, I, S(2.0)), row("Pow", 13, I, np.int64(2)), row("Pow", 12, X, np.int64(3)),
    row("Pow", 13, X, S(2), constant=(1,)), row("Pow", 13, ROW, np.full((1, 1, 1), 2, S), constant=(1,)),
    *(row(kind, version, X, X[::-1]) for kind in ("Less", "Greater") for version in (7, 9)), row("Equal", 7, I, I[::-1]),
    row("Less", 13, *LARGE), row("LessOrEqual", 16, *LARGE), row("Equal", 13, *LARGE), row("Not", 1, X > 0),
    row("Equal", 19, np.array(["a", "b"], object), np.array("b", object)),
    *(row("IsInf", 10, INFINITE, **{sign: 0}) for sign in ("detect_negative", "detect_positive")),
    *(row("BitShift", 11, U.astype(kind), U.astype(kind) % 8, direction=way) for kind in UNSIGNED for way in ("LEFT", "RIGHT")),
    row("BitShift", 11, LARGE[0], np.uint64(3), direction="RIGHT"),
    *(row(kind, 18, U.astype("uint16"), U[::-1].astype("uint16")) for kind in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")),
    row("BitwiseAnd", 18, I, I[::-1]), row("BitwiseNot", 18, U.astype("uint32")),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "how"), ROWS, ids=name)
def test_an_operation_computes_what_onnxruntime_computes(operation, how):
    agree(*operation, **how)


def test_a_slope_per_channel_before_version_7():
    agree("PRelu", 6, X, SLOPE, expected=[np.where(X < 0, X * AT_ONE, X)])


def test_a_gated_activation():
    agree("SwiGLU", 28, X, P, alpha=1.5, expected=[X / (1 + np.exp(-1.5 * X)) * P])


@pytest.mark.parametrize("kind", ["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
def test_activations_of_onnxruntime(kind):
    bias = (ROW,) if kind in ("BiasGelu", "FastGelu") else ()
    agree(kind, 1, X, *bias, domain="com.microsoft", atol=1e-3 if kind == "FastGelu" else 1e-5)


def test_fused_activations_of_its_other_providers():
    masked = X + ROW
    weights = np.exp(masked) / np.exp(masked).sum(-1, keepdims=True)
    agree("BiasSoftmax", 1, X, ROW, domain="com.microsoft", axis=2, expected=[weights])
    agree("BiasAdd", 1, X, ROW, P, domain="com.microsoft", expected=[X + ROW + P])
    left, right = masked[..., :2], torch.from_numpy(masked[..., 2:])
    agree("BiasSplitGelu", 1, X, ROW, domain="com.microsoft", expected=[left * torch.nn.functional.gelu(right).numpy()])


IMAGE = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
EARLY = [
    row("ImageScaler", 1, IMAGE, scale=2.0, bias=[1.0, 2.0, 3.0]), row("Crop", 1, IMAGE, border=[1, 2, 0, 1]),
    row("Crop", 1, IMAGE, border=[1, 2, 0, 0], scale=[2, 3]), row("Scale", 1, IMAGE, scale=2.0),
    *(row(kind, 1, IMAGE, alpha=2.0, beta=0.5) for kind in ("Affine", "ScaledTanh", "ParametricSoftplus")),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "how"), EARLY, ids=name)
def test_operations_that_the_standard_took_out_again(operation, how):
    agree(*operation, **how)
