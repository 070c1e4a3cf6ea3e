"""ONNX files: converted to PyTorch, with the softmax at the end left out and pictures taken channels first."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import InputError, ModelError
from ..model import Model
from . import availability, torchvision
from .checkpoint import digest
from .weights import damaged

LARGEST = 2**31 - 1  # bytes of a file: what the format itself can hold
MOST_NODES = 50_000
OPSET = 13  # which onnx2torch knows best
CHANNELS = (1, 3, 4)
STORE = "initializers."  # where onnx2torch keeps constants
TURNED = ", which takes channels last: pictures go in channels first and are turned"


def load(path: Path) -> Model:
    """The network in an ONNX file. The format holds numbers and operations, so that reading it runs nothing of its author's."""
    onnx = availability.optional(f"model {path}", "onnx", "onnx")
    torchvision.imported(f"model {path}")  # onnx2torch imports it
    onnx2torch = availability.optional(f"model {path}", "onnx2torch", "onnx")
    proto = _read(onnx, path)
    proto = _convertible(onnx, onnx2torch, proto, path)
    shapes = [tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim) for value in _inputs(proto)]
    loose = len(shapes) == 1 and _loosened(onnx, proto, shapes[0])
    graph = _converted(onnx2torch, proto, path)
    turned = len(shapes) == 1 and _channels_last(proto, shapes[0])
    softmax = _without_softmax(graph)
    shape = shapes[0] if len(shapes) == 1 else ()
    module = Converted(graph, shape, turned=turned).eval()
    if loose and _takes_any_batch(module):
        module.batch = 0
    notes = ("The file ends in a softmax; the scores before it are explained.",) if softmax else ()
    maker = f", written by {proto.producer_name}" if proto.producer_name else ""
    source = f"ONNX file {path.name}{maker}, through onnx2torch" + (TURNED if turned else "")
    return Model(module, path.stem, source, module, fingerprint=digest(path), shape=module.shape, notes=notes)


class Converted(nn.Module):
    """The converted graph, whose modules it shares: one per operation, named as the file names them.

    Arguments:
        graph: What onnx2torch made.
        shape: Of the input in the file; 0 for an axis that may have any length.
        turned: Whether the file takes channels last.
    """

    def __init__(self, graph: torch.fx.GraphModule, shape: tuple[int, ...], *, turned: bool) -> None:
        super().__init__()
        self._graph = (graph,)  # in a tuple: its modules are registered once, as ours
        for name, child in graph.named_children():
            self.add_module(name, child)
        self.turned, self.batch = turned, shape[0] if shape else 0
        sample = shape[1:]
        ordered = (sample[2], *sample[:2]) if turned else sample
        self.shape = ordered if ordered and all(ordered) else None

    def forward(self, *inputs: Tensor) -> Any:
        x = inputs[0]
        x = channels_last(x, self.shape) if self.turned else x
        if not self.batch or len(x) == self.batch or len(inputs) > 1:
            return self._graph[0](x, *inputs[1:])
        return self._in_batches(x)

    def _in_batches(self, x: Tensor) -> Tensor:
        """A file that fixes the size of its batch runs as often as it takes, the last time filled up."""
        missing = -len(x) % self.batch
        filled = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        parts = [self._graph[0](filled[at : at + self.batch]) for at in range(0, len(filled), self.batch)]
        made = torch.cat(parts) if len(parts) > 1 else parts[0]
        return made[: len(x)] if missing else made


def _read(onnx: Any, path: Path) -> Any:
    """The file, with data beside it only where that lies in the same folder."""
    if path.stat().st_size > LARGEST:
        why = "a file of this format holds at most 2; larger models keep their weights beside it"
        raise ModelError(f"model {path}", f"{path.stat().st_size / 2**30:.1f} GB", why, "Fetch it again, or export it anew.")
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise damaged(path, error) from None
    if not proto.graph.node:
        raise damaged(path, ValueError("no operations in it"))
    outside = {_location(tensor) for tensor in _tensors(proto.graph) if tensor.data_location == tensor.EXTERNAL}
    for name in sorted(outside):
        beside = path.parent / name
        if Path(name).name != name or beside.is_symlink() or not beside.is_file():
            why = "data outside the file are read only from the model's own folder, as plain files"
            raise ModelError(f"model {path}", f"weights kept in {name!r}", why, "Put that file beside the model, unlinked.")
    if outside:
        onnx.load_external_data_for_model(proto, str(path.parent.resolve()))
    return proto


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph: weights, and constants in its operations and in graphs inside these."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for entry in (entry for node in graph.node for entry in node.attribute):
        yield from (entry.t, *entry.tensors)
        for inside in (*([entry.g] if entry.HasField("g") else []), *entry.graphs):
            yield from _tensors(inside)


def _location(tensor: Any) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _convertible(onnx: Any, onnx2torch: Any, proto: Any, path: Path) -> Any:
    """The graph in an opset that can be converted; what cannot be is named, with its place, before anything is made of it."""
    nodes = proto.graph.node
    if len(nodes) > MOST_NODES:
        raise ModelError(f"model {path}", f"{len(nodes)} operations", f"at most {MOST_NODES} are converted", "Simplify it.")
    unknown = _unknown(proto)
    if unknown and _opset(proto) != OPSET:
        with suppress(Exception):  # not every operation has a counterpart there
            other = onnx.version_converter.convert_version(proto, OPSET)
            if not _unknown(other):
                return other
    if not unknown:
        return proto
    kinds = ", ".join(sorted({node.op_type for node in unknown}))
    first = unknown[0].name or unknown[0].output[0]
    found = f"{len(unknown)} of {len(nodes)} operations that onnx2torch does not know: {kinds}, first at `{first}`"
    why = f"they cannot be run by PyTorch as they stand in opset {_opset(proto)}"
    do = f"Export it for opset {OPSET} (torch.onnx.export(..., opset_version={OPSET})), or load the network it was made from."
    raise ModelError(f"model {path}", found, why, do)


def _unknown(proto: Any) -> list[Any]:
    """The operations for which there is no converter."""
    registry = import_module("onnx2torch.node_converters.registry")
    opsets = {entry.domain: entry.version for entry in proto.opset_import}

    def known(node: Any) -> bool:
        try:
            registry.get_converter(operation_type=node.op_type, version=opsets.get(node.domain, 1), domain=node.domain)
        except NotImplementedError:
            return False
        return True

    return [node for node in proto.graph.node if not known(node)]


def _opset(proto: Any) -> int:
    return next((int(entry.version) for entry in proto.opset_import if not entry.domain), 0)


def _loosened(onnx: Any, proto: Any, shape: tuple[int, ...]) -> bool:
    """Let a file that fixes its batch take any: reshapes to (batch, ...) copy that axis from what they reshape."""
    if not shape or not shape[0]:
        return False
    known = onnx.shape_inference.infer_shapes(proto).graph
    sizes = {value.name: value.type.tensor_type.shape.dim for value in (*known.input, *known.value_info)}
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        target = onnx.numpy_helper.to_array(constants[node.input[1]]).copy()
        before = sizes.get(node.input[0])
        if len(target) and target[0] == shape[0] and before and before[0].dim_value == shape[0]:
            target[0] = 0  # as it stands in the input
            name = f"{node.input[1]} of {node.name or node.output[0]}"
            proto.graph.initializer.append(onnx.numpy_helper.from_array(target, name))
            node.input[1] = name
    return True


def _converted(onnx2torch: Any, proto: Any, path: Path) -> torch.fx.GraphModule:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converter copies arrays that it does not write to
            graph: torch.fx.GraphModule = onnx2torch.convert(proto)
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        do = "Check it with onnx.checker.check_model, or load the PyTorch network it was made from."
        found = f"a graph that onnx2torch cannot convert ({message})"
        raise ModelError(f"model {path}", found, "it does not run in PyTorch", do) from None
    for name, child in list(graph.named_modules()):
        if type(child).__name__ == "OnnxSlice":
            graph.add_submodule(name, Slice())
    _house(graph)
    return graph


def _house(graph: torch.fx.GraphModule) -> None:
    """Give constants to the operation that reads them, so that they are found where they work and are counted as learned."""
    for node in list(graph.graph.nodes):
        users = list(node.users)
        if node.op != "get_attr" or len(users) != 1 or users[0].op != "call_module" or not node.target.startswith(STORE):
            continue
        name = node.target.removeprefix(STORE)
        tensor, home = getattr(graph.initializers, name), graph.get_submodule(str(users[0].target))
        if tensor.is_floating_point():
            home.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        else:
            home.register_buffer(name, tensor)
        node.target = f"{users[0].target}.{name}"
        delattr(graph.initializers, name)
    graph.recompile()


def _inputs(proto: Any) -> list[Any]:
    """The inputs, whose shapes have 0 for an axis of any length; weights that are listed among them are none."""
    weights = {tensor.name for tensor in proto.graph.initializer}
    return [value for value in proto.graph.input if value.name not in weights]


def _takes_any_batch(module: Converted) -> bool:
    """Whether two samples more than the file says give two answers more."""
    if module.shape is None:
        return False
    try:
        with torch.no_grad():
            module.batch, batch = 0, module.batch
            answer = module(torch.zeros(batch + 2, *module.shape))
    except Exception:
        return False
    finally:
        module.batch = batch
    return isinstance(answer, Tensor) and len(answer) == batch + 2


def _channels_last(proto: Any, shape: tuple[int, ...]) -> bool:
    """Whether the file takes (batch, height, width, channel): its own shape says so, or that it turns its input at once."""
    if len(shape) != 4:
        return False
    if shape[3] in CHANNELS and shape[1] not in CHANNELS and (shape[1] or shape[2]):
        return True
    if shape[1] in CHANNELS:
        return False
    name = _inputs(proto)[0].name
    readers = [node for node in proto.graph.node if name in node.input]
    orders = [list(entry.ints) for node in readers if node.op_type == "Transpose" for entry in node.attribute]
    return len(readers) == 1 and orders == [[0, 3, 1, 2]]


def _without_softmax(graph: torch.fx.GraphModule) -> bool:
    """Let a graph whose one output is a softmax over classes return what goes into it; whether it was one."""
    end = next(node for node in reversed(graph.graph.nodes) if node.op == "output")
    last = end.args[0]
    if not isinstance(last, torch.fx.Node) or last.op != "call_module":
        return False
    name = type(graph.get_submodule(str(last.target))).__name__
    if "Softmax" not in name or "Log" in name:
        return False
    end.args = (last.args[0],)
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.recompile()
    return True


def channels_last(x: Tensor, shape: tuple[int, ...] | None) -> Tensor:
    """(batch, channel, height, width) as (batch, height, width, channel).

    Arguments:
        shape: Of one sample, channels first, where it is known.

    Raises:
        InputError: the channels stand last already.
    """
    if shape is not None and tuple(x.shape[1:]) == (*shape[1:], shape[0]) != shape:
        do = "Turn it: x.permute(0, 3, 1, 2)."
        raise InputError("An input", f"shape {tuple(x.shape)}", "channels come before height and width", do)
    return x.permute(0, 2, 3, 1)


class Slice(nn.Module):
    """x[start:end:step] along some axes; a negative step walks backwards, as in numpy. That of onnx2torch indexes with a list,
    which PyTorch deprecates.

    Example:
        >>> Slice()(torch.arange(6).view(2, 3), torch.tensor([2]), torch.tensor([-99]), torch.tensor([1]), torch.tensor([-1]))
        tensor([[2, 1, 0],
                [5, 4, 3]])
    """

    def forward(self, x: Tensor, starts: Tensor, ends: Tensor, axes: Any = None, steps: Any = None) -> Tensor:
        count = len(starts)
        axes = range(count) if axes is None else axes
        steps = [1] * count if steps is None else steps
        for start, end, axis, step in zip(*(map(int, part) for part in (starts, ends, axes, steps)), strict=True):
            x = _along(x, start, end, axis, step)
        return x


def _along(x: Tensor, start: int, end: int, axis: int, step: int) -> Tensor:
    first, last, stride = slice(start, end, step).indices(x.shape[axis])
    if stride > 0:
        whole = [slice(None)] * x.dim()
        whole[axis] = slice(first, max(first, last), stride)
        return x[tuple(whole)]
    return x.index_select(axis, torch.arange(first, last, stride, device=x.device))
