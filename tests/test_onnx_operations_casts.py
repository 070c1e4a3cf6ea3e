"""ONNX files: numbers change their format as in onnxruntime and in the reference of the standard, to and from text too."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from pellucid.model.sources.onnx.operation import Node, find
from tests.onnx_oracle import agree

X = 5 * np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
SPECIAL = np.array([1.5, 2, -0.25, 1e10, 1e-7, np.nan, np.inf, -np.inf, 1 / 3, 100], np.float32)
TO_THE_EDGE = np.array(
    [1, 0.3, -0.0, 463, 464, 465, 247, 248, 249, 61439, 61440, 61441, 1e6, -1e6, np.inf, -np.inf, np.nan], np.float32
)
KINDS = onnx.TensorProto.DataType
FLOAT8 = ["FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"]


@pytest.mark.parametrize("to", ["FLOAT", "DOUBLE", "FLOAT16", "INT8", "INT32", "INT64", "BOOL"])
@pytest.mark.parametrize("version", [6, 9, 13])
def test_between_formats(version, to):
    for x in (X, X.astype(np.int64), X > 0, X.astype(np.float64)):
        agree("Cast", version, x, to=KINDS.Value(to))


@pytest.mark.parametrize("to", ["UINT8", "UINT16", "UINT32", "UINT64"])
def test_whole_numbers_are_wrapped(to):
    agree("Cast", 13, np.array([-1, 70_000, 2**40 + 3]), to=KINDS.Value(to))


def test_version_1_names_the_format():
    agree("Cast", 1, X, to="DOUBLE", expected=[X.astype(np.float64)])


def test_to_text_and_back():
    for x in (SPECIAL, X.astype(np.int64), np.array([1 / 3, 1e300]), np.array([1 / 3], np.float16), np.float32(2)):
        agree("Cast", 9, x, to=KINDS.Value("STRING"))
    agree("Cast", 9, np.array(["1.5", "2", "-3e2", "NaN", "INF", "-INF", "+inf"], object), to=KINDS.Value("FLOAT"))
    agree("Cast", 9, np.array([["15", "-2"]], object), to=KINDS.Value("INT64"))
    agree("Cast", 9, np.array([str(2**62 + 1)], object), to=KINDS.Value("INT64"))


@pytest.mark.parametrize("to", FLOAT8)
@pytest.mark.parametrize("saturate", [0, 1])
def test_to_numbers_of_eight_bits(to, saturate):
    x = TO_THE_EDGE if not saturate else np.nan_to_num(TO_THE_EDGE, posinf=1e6, neginf=-1e6, nan=0)
    agree("Cast", 19, x, to=KINDS.Value(to), saturate=saturate, by="reference")


@pytest.mark.parametrize("rounding", ["up", "down", "nearest"])
@pytest.mark.parametrize("saturate", [0, 1])
def test_to_powers_of_two(rounding, saturate):
    x = np.array([1, 1.25, 1.5, 1.75, 2, 3, 2.0**127 * 1.5, 1e-45, 3e-39, np.inf], np.float32)
    agree("Cast", 24, x, to=KINDS.Value("FLOAT8E8M0"), saturate=saturate, round_mode=rounding, by="reference")


def test_to_whole_numbers_of_few_bits():
    for to, low, high in (("UINT4", 0, 15), ("INT4", -8, 7), ("UINT2", 0, 3), ("INT2", -2, 1)):
        x = torch.arange(low, high + 1)
        cast = find("Cast")(Node("Cast", "it", 25, {"to": KINDS.Value(to)}), x + 16)
        assert cast.tolist() == x.tolist() and cast.dtype == (torch.uint8 if to.startswith("U") else torch.int8)


def test_the_format_of_other_numbers():
    agree("CastLike", 15, X, np.int64(1), like=19)
    agree("CastLike", 15, X, np.array("a", object), like=19)


def test_the_same_bits():
    for to, kind in (("INT32", np.int32), ("UINT32", np.uint32)):
        agree("BitCast", 26, X, to=KINDS.Value(to), expected=[X.view(kind)])
