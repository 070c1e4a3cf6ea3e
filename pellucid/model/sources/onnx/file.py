"""An ONNX file, read without running anything of its author's, with data beside it only where they lie in its own folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pellucid.errors import ModelError
from ..weights import damaged

LARGEST = 2**31 - 1  # bytes of a file: what the format itself can hold
MOST_NODES = 200_000


def read(onnx: Any, path: Path) -> Any:
    """The model in the file.

    Raises:
        ModelError: it is damaged, too large, or keeps weights where they must not be.
    """
    if path.stat().st_size > LARGEST:
        why = "a file of this format holds at most 2; larger models keep their weights beside it"
        raise ModelError(f"model {path}", f"{path.stat().st_size / 2**30:.1f} GB", why, "Fetch it again, or export it anew.")
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise damaged(path, error) from None
    if not proto.graph.node:
        raise damaged(path, ValueError("no operations in it"))
    if not proto.graph.output:
        raise damaged(path, ValueError("no outputs"))
    try:
        count = _operations(proto)
    except RecursionError:
        raise damaged(path, ValueError("a function that calls itself, or graphs in graphs without end")) from None
    if count > MOST_NODES:
        raise ModelError(f"model {path}", f"{count} operations", f"at most {MOST_NODES} are read", "Simplify it.")
    tensors = (tensor for graph in (proto.graph, *proto.functions) for tensor in _tensors(graph))
    outside = {_location(tensor) for tensor in tensors if tensor.data_location == tensor.EXTERNAL}
    for name in sorted(outside):
        if not _lies_beside(path, name):
            why = "data outside the file are read only from the model's own folder, as plain files"
            raise ModelError(f"model {path}", f"weights kept in {name!r}", why, "Put that file beside the model, unlinked.")
    if outside:
        try:
            onnx.load_external_data_for_model(proto, str(path.parent.resolve()))
        except Exception as error:
            raise damaged(path, error) from None
    return proto


def _lies_beside(path: Path, name: str) -> bool:
    beside = path.parent / name
    try:
        return Path(name).name == name and beside.is_file() and not beside.is_symlink()
    except (OSError, ValueError):  # no name that a file may have
        return False


def _operations(proto: Any) -> int:
    """How many operations a model is made of, each call of a function counted as all that is in it."""
    functions = {(one.domain, one.name, one.overload): one for one in proto.functions}

    @cache
    def inside(called: tuple[str, str, str]) -> int:
        return count(functions[called]) if called in functions else 1

    def count(graph: Any) -> int:
        graphs = (one for node in graph.node for entry in node.attribute for one in _graphs(entry))
        return sum(inside((node.domain, node.op_type, node.overload)) for node in graph.node) + sum(map(count, graphs))

    return count(proto.graph)


def _graphs(attribute: Any) -> Iterator[Any]:
    yield from [attribute.g] if attribute.HasField("g") else []
    yield from attribute.graphs


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph or function: weights, and constants in its operations and in graphs inside these."""
    entries = [entry for node in graph.node for entry in node.attribute]
    yield from getattr(graph, "initializer", ())
    for sparse in (*getattr(graph, "sparse_initializer", ()), *(entry.sparse_tensor for entry in entries)):
        yield from (sparse.values, sparse.indices)
    for entry in entries:
        yield from (entry.t, *entry.tensors)
        for inside in _graphs(entry):
            yield from _tensors(inside)


def _location(tensor: Any) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def inputs(proto: Any) -> list[Any]:
    """The inputs, whose shapes have 0 for an axis of any length; weights that are listed among them are none."""
    weights = {tensor.name for tensor in proto.graph.initializer}
    return [value for value in proto.graph.input if value.name not in weights]


def shape(value: Any) -> tuple[int, ...]:
    """The shape of an input, 0 for an axis of any length."""
    return tuple(max(axis.dim_value, 0) for axis in value.type.tensor_type.shape.dim)
