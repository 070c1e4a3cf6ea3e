"""One operation of ONNX, in any version of the standard: our reader against onnxruntime, or the reference of the standard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pellucid.model.sources.onnx import constants
from pellucid.model.sources.onnx.build import build, read_file

IR_VERSION = 8


def row(*operation: Any, **how: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `agree` is called with: a line in a table of tests."""
    return operation, how


def name(value: Any) -> str:
    """What a line in a table is called in the report of a run."""
    return f"{value[0]}-{value[1]}" if isinstance(value, tuple) else " ".join(f"{key}={one}" for key, one in value.items())


def model(
    kind: str,
    opset: int,
    inputs: Sequence[Any],
    /,
    *,
    constant: Sequence[int] = (),
    outputs: int = 1,
    domain: str = "",
    **more: Any,
) -> Any:
    """A model of one operation.

    Arguments:
        inputs: An array each, or None for one that is left out.
        constant: Which of them stand in the file.
        more: Its attributes.
    """
    names = ["" if array is None else f"x{at}" for at, array in enumerate(inputs)]
    made = [f"y{at}" for at in range(outputs)]
    node = helper.make_node(kind, names, made, "it", domain=domain, **more)
    fed = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for at, (name, array) in enumerate(zip(names, inputs, strict=True))
        if name and at not in constant
    ]
    weights = [numpy_helper.from_array(inputs[at], names[at]) for at in constant]
    graph = helper.make_graph([node], "one", fed, [onnx.ValueInfoProto(name=name) for name in made], weights)
    opsets = [helper.make_opsetid(domain, opset)] + ([helper.make_opsetid("", 17)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def ours(proto: Any, inputs: Sequence[Any]) -> list[Any]:
    graph = build(read_file(proto), proto.graph)
    with torch.no_grad():
        return list(graph.run([constants.from_array(array) for array in inputs], {}))


def runtime(proto: Any, inputs: Sequence[Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(zip((one.name for one in session.get_inputs()), inputs, strict=True))))


def reference(proto: Any, inputs: Sequence[Any]) -> list[Any]:
    names = [one.name for one in proto.graph.input]
    return list(ReferenceEvaluator(proto).run(None, dict(zip(names, inputs, strict=True))))


def agree(
    kind: str,
    opset: int,
    /,
    *inputs: Any,
    constant: Sequence[int] = (),
    outputs: int = 1,
    domain: str = "",
    expected: Any = None,
    by: str = "runtime",
    like: int = 0,
    atol: float = 1e-5,
    **attributes: Any,
) -> None:
    """Compare every output of ours with that of onnxruntime, of the reference, or with what is expected.

    Arguments:
        like: The version that means the same and that onnxruntime has, where it lacks this one.
    Raises:
        AssertionError: A format, a shape or a number differs.
    """
    inputs = tuple(None if one is None else np.asarray(one) for one in inputs)
    proto, known = (
        model(kind, version, inputs, constant=constant, outputs=outputs, domain=domain, **attributes)
        for version in (opset, like or opset)
    )
    fed = [array for at, array in enumerate(inputs) if array is not None and at not in constant]
    truth = (runtime if by == "runtime" else reference)(known, fed) if expected is None else expected
    for made, true in zip(ours(proto, fed), truth, strict=True):
        if isinstance(made, torch.Tensor):
            true = constants.from_array(np.asarray(true).astype(np.dtype(true.dtype.str)) if true.dtype.kind in "iu" else true)
            assert made.dtype == true.dtype, f"{made.dtype} in place of {true.dtype}"
            assert made.shape == true.shape, f"{tuple(made.shape)} in place of {tuple(true.shape)}"
            wide = torch.float64 if true.is_floating_point() else torch.int64
            torch.testing.assert_close(made.to(wide), true.to(wide), rtol=1e-4, atol=atol, equal_nan=True)
        else:
            assert np.array_equal(np.array(made, dtype=object), np.array(true, dtype=object)), f"{made} in place of {true}"
