"""Files that compute in half precision, raised to float32: relevance is divided by sums that halves cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOTE = "The file computes in {}; here it is computed in float32."


def raised(onnx: Any, proto: Any) -> str:
    """Change a model that computes in float16 or bfloat16 to float32; what it computed in, empty if in neither."""
    formats = {onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.BFLOAT16: "bfloat16"}
    found = dict.fromkeys(formats[kind] for graph in _graphs(proto) for kind in _raise(onnx, graph, formats))
    return " and ".join(found)


def _graphs(proto: Any) -> Iterator[Any]:
    waiting = [proto.graph, *proto.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for entry in (entry for node in graph.node for entry in node.attribute):
            waiting += [*([entry.g] if entry.HasField("g") else []), *entry.graphs]


def _raise(onnx: Any, graph: Any, formats: dict[int, str]) -> Iterator[int]:
    """Every place of a graph that names a format of halves, changed."""
    single = onnx.TensorProto.FLOAT
    for value in (*getattr(graph, "input", ()), *getattr(graph, "output", ()), *graph.value_info):
        kind = None if isinstance(value, str) else value.type.tensor_type
        if kind is not None and kind.elem_type in formats:
            yield kind.elem_type
            kind.elem_type = single
    entries = [entry for node in graph.node for entry in node.attribute]
    constants = [*getattr(graph, "initializer", ()), *(one for entry in entries for one in (entry.t, *entry.tensors))]
    for tensor in constants:
        if tensor.data_type in formats:
            yield tensor.data_type
            array = onnx.numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for entry in entries:
        if entry.name in ("to", "dtype", "output_dtype", "stash_type", "precision") and entry.i in formats:
            yield entry.i
            entry.i = single
