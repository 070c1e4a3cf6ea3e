"""ONNX files: a graph of plain PyTorch calls, with the softmax at the end left out and pictures taken channels first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from pellucid.errors import ModelError
from ...model import Model
from .. import availability
from ..channels import TURNED
from . import batches, constants, file, halves, metadata, runtime
from .build import File, read_file, unknown, whole
from .graph import Graph
from .head import without_softmax
from .network import OnnxNetwork, Port

CHANNELS = (1, 3, 4)
SOFTMAX = "The file ends in a softmax; the scores before it are explained."


def load(path: Path) -> Model:
    """The network in an ONNX file. The format holds numbers and operations, so that reading it runs nothing of its author's."""
    onnx = availability.optional(f"model {path}", "onnx", "onnx")
    proto = file.read(onnx, path)
    maker = f", written by {proto.producer_name}" if proto.producer_name else ""
    source, said = f"ONNX file {path.name}{maker}", read_file(proto)
    missing = list(unknown(said, proto.graph))
    if missing:
        return _elsewhere(path, source, proto, missing)
    notes = []
    if half := halves.raised(onnx, proto):
        notes.append(halves.NOTE.format(half))
    loose = batches.loosen(onnx, proto)
    graph, found = _built(said, proto, path)
    notes += found
    if without_softmax(graph):
        notes.append(SOFTMAX)
    ports = [Port(value.name, file.shape(value), _dtype(value)) for value in file.inputs(proto)]
    turned = len(ports) == 1 and _channels_last(proto, ports[0].shape)
    module = OnnxNetwork(graph, ports, turned=turned).eval()
    if loose and module.takes_any_batch():
        module.batch = 0
    given = metadata.properties(proto)
    how, assumed = metadata.preprocess(graph, module.shape, given)
    shape = file.shape(proto.graph.output[0])
    names = metadata.labels(given, shape[-1] if shape else 0) or metadata.listed(graph)
    source += TURNED if turned else ""
    told = tuple(filter(None, (*notes, assumed)))
    return Model(module, path.stem, source, module, how, names, shape=module.shape, notes=told)


def _kinds(missing: list[Any]) -> str:
    return ", ".join(sorted({f"{node.domain}.{node.op_type}".lstrip(".") for node in missing}))


def _elsewhere(path: Path, source: str, proto: Any, missing: list[Any]) -> Model:
    """A file with operations that nothing here computes: run by onnxruntime, or refused with their names.

    Raises:
        ModelError: onnxruntime is not installed, or cannot run it either.
    """
    kinds = _kinds(missing)
    session, reason = runtime.opened(path)
    if session is not None:
        note = runtime.NOTE.format(kinds)
        return Model(session, path.stem, f"{source}, run by onnxruntime", notes=(note,))
    first = missing[0].name or missing[0].output[0]
    found = f"{len(missing)} of {len(proto.graph.node)} operations that cannot be read: {kinds}, first at `{first}`"
    why = f"PyTorch has no counterpart for them that is known here, and {reason}"
    do = "Install onnxruntime for methods that only ask for outputs, or load the network that the file was made from."
    raise ModelError(f"model {path}", found, why, do)


def _built(said: File, proto: Any, path: Path) -> tuple[Graph, list[str]]:
    """The graph, and what is to be said of it."""
    try:
        return whole(said, proto.graph), list(dict.fromkeys(said.notes))
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        do = "Check it with onnx.checker.check_model, or load the PyTorch network it was made from."
        raise ModelError(f"model {path}", f"a graph that cannot be built ({message})", "it does not run in PyTorch", do) from None


def _dtype(value: Any) -> torch.dtype | None:
    with suppress(ValueError):
        return constants.dtype(value.type.tensor_type.elem_type)
    return None


def _channels_last(proto: Any, shape: tuple[int, ...]) -> bool:
    """Whether the file takes (batch, height, width, channel): its own shape says so, or that it turns its input at once."""
    if len(shape) != 4:
        return False
    if shape[3] in CHANNELS and shape[1] not in CHANNELS and (shape[1] or shape[2]):
        return True
    if shape[1] in CHANNELS:
        return False
    name = file.inputs(proto)[0].name
    readers = [node for node in proto.graph.node if name in node.input]
    orders = [list(entry.ints) for node in readers if node.op_type == "Transpose" for entry in node.attribute]
    return len(readers) == 1 and orders == [[0, 3, 1, 2]]
