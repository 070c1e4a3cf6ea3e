"""ONNX files: every version of an operation takes every format of numbers that the standard lets it take, and keeps it."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, defs, helper

from pellucid.model.sources.onnx import constants
from tests.onnx_oracle import model, ours

FORMATS = {
    f"tensor({name})": np.dtype({"float": "float32", "double": "float64"}.get(name, name))
    for name in "float double float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
} | {"tensor(bfloat16)": helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)}
DECIMALS = "fV"  # numpy counts bfloat16 among the formats that it does not know
ONE = """Abs Neg Reciprocal Sqrt Exp Log Ceil Floor Round Sign Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Erf Relu
    Sigmoid Tanh Softplus Softsign HardSwish Mish Gelu Swish LeakyRelu Elu Celu Selu HardSigmoid ThresholdedRelu Shrink Softmax
    LogSoftmax Hardmax Not IsNaN IsInf BitwiseNot ArgMax ArgMin Det""".split()
TWO = """Add Sub Mul Div Pow Mod And Or Xor Equal Less Greater LessOrEqual GreaterOrEqual BitwiseAnd BitwiseOr BitwiseXor BitShift
    Max Min Sum Mean PRelu MatMul SwiGLU""".split()
REDUCED = [f"Reduce{kind}" for kind in "Sum Mean Prod L1 L2 SumSquare LogSum LogSumExp Max Min".split()]
OTHERS = {"Trilu": [np.array(0)], "CumSum": [np.array(1)], "CumProd": [np.array(1)], "TopK": [np.array([1])]}
HOW = {"BitShift": {"direction": "LEFT"}, "Einsum": {"equation": "ijk,ikl->ijl"}}


def cases(kind):
    """Each version with each format that it takes, and whether it returns the same."""
    for schema in defs.get_all_schemas_with_history():
        if schema.name == kind and not schema.domain:
            of = {one.type_param_str: one.allowed_type_strs for one in schema.type_constraints}
            first = schema.inputs[0].type_str
            for name in of.get(first, ()):
                if name in FORMATS:
                    yield schema, FORMATS[name], schema.outputs[0].type_str == first


def inputs(schema, dtype):
    x = (np.random.default_rng(0).random((2, 3, 3)) * 4 + 1).astype(dtype)
    x = x / 8 if dtype.kind in DECIMALS else x  # where the inverses of sine and hyperbolic tangent are
    if schema.name in REDUCED:
        return [x.astype(dtype)] + ([np.array([1])] if len(schema.inputs) > 1 else [])
    rest = OTHERS.get(schema.name, [x.astype(dtype)] if schema.name in (*TWO, "Einsum") else [])
    return [x.astype(dtype), *rest][: len(schema.inputs) if schema.name not in ("Max", "Min", "Sum", "Mean", "Einsum") else 2]


@pytest.mark.parametrize("kind", [*ONE, *TWO, *REDUCED, *OTHERS, "Clip", "Einsum"])
def test_an_operation_keeps_the_format_it_is_given(kind):
    for schema, dtype, same in cases(kind):
        fed = inputs(schema, dtype)
        how = HOW.get(kind, {}) | ({"k": 1} if kind == "TopK" and len(fed) == 1 else {})
        how |= {"fmod": 1} if kind == "Mod" and dtype.kind in DECIMALS else {}
        made = ours(model(kind, schema.since_version, fed, outputs=1, **how), fed)[0]
        assert made.numel() and (not same or made.dtype is constants.from_array(fed[0]).dtype), (
            f"{kind} {schema.since_version} {dtype}"
        )
