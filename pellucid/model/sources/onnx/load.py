"""ONNX files: a graph of plain PyTorch calls, with the softmax at the end left out and pictures taken channels first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.errors import ModelError
from ...model import Model
from .. import availability
from ..channels import TURNED
from ..checkpoint import digest
from . import batches, file
from .build import build, read_file, unknown
from .graph import Graph
from .network import OnnxNetwork

CHANNELS = (1, 3, 4)


def load(path: Path) -> Model:
    """The network in an ONNX file. The format holds numbers and operations, so that reading it runs nothing of its author's."""
    onnx = availability.optional(f"model {path}", "onnx", "onnx")
    proto = file.read(onnx, path)
    shapes = [file.shape(value) for value in file.inputs(proto)]
    loose = batches.loosen(onnx, proto)
    graph = _built(proto, path)
    turned = len(shapes) == 1 and _channels_last(proto, shapes[0])
    softmax = _without_softmax(graph)
    shape = shapes[0] if len(shapes) == 1 else ()
    module = OnnxNetwork(graph, shape, turned=turned).eval()
    if loose and module.takes_any_batch():
        module.batch = 0
    notes = ("The file ends in a softmax; the scores before it are explained.",) if softmax else ()
    maker = f", written by {proto.producer_name}" if proto.producer_name else ""
    source = f"ONNX file {path.name}{maker}" + (TURNED if turned else "")
    return Model(module, path.stem, source, module, fingerprint=digest(path), shape=module.shape, notes=notes)


def _built(proto: Any, path: Path) -> Graph:
    """The graph; operations that nothing here computes are named, with their place, before anything is made of them."""
    source = read_file(proto)
    missing = list(unknown(source, proto.graph))
    if missing:
        kinds = ", ".join(sorted({f"{node.domain}.{node.op_type}".lstrip(".") for node in missing}))
        first = missing[0].name or missing[0].output[0]
        found = f"{len(missing)} of {len(proto.graph.node)} operations that are not known here: {kinds}, first at `{first}`"
        do = "Load the network it was made from, or say in an issue which program wrote the file."
        raise ModelError(f"model {path}", found, "PyTorch has no counterpart that this reader knows", do)
    try:
        return build(source, proto.graph)
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        do = "Check it with onnx.checker.check_model, or load the PyTorch network it was made from."
        raise ModelError(f"model {path}", f"a graph that cannot be built ({message})", "it does not run in PyTorch", do) from None


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


def _without_softmax(graph: Graph) -> bool:
    """Let a graph whose one output is a softmax over classes return what goes into it; whether it was one."""
    last = graph.steps[-1] if graph.steps else None
    if last is None or len(graph.outputs) != 1 or last.outputs[:1] != graph.outputs:
        return False
    layer = graph.get_submodule(last.layer)
    if getattr(getattr(layer, "node", None), "kind", "") != "Softmax":
        return False
    graph.steps = tuple(
        replace(step, dead=tuple(name for name in step.dead if name != last.inputs[0])) for step in graph.steps[:-1]
    )
    graph.outputs = (last.inputs[0],)
    del graph._modules[last.layer]
    return True
