"""A graph of an ONNX file made into a module: constants worked out once, weights given to the operations that read them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from . import constants, operations, quantised
from .folding import work_out
from .graph import Graph, Operation, Step, free_name, keep, mark_dead
from .operation import Node, check_inputs, find, standard
from .order import in_order, reads

DRAWN = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout"}
)
NOTE_OF_CHANCE = "The file draws random numbers; they are the same at every run."


@dataclass(frozen=True)
class File:
    """What holds for every graph of a file.

    Arguments:
        opsets: Version by domain.
        functions: Those the file defines itself, by domain, name and overload.
        notes: What was found while it was built.
    """

    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str, str], Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def body(self, node: Any) -> Any:
        """What an operation is made of: a function of the file, or of the standard for what nothing here computes; else None."""
        own = self.functions.get(_called(node))
        return own if own is not None or find(node.op_type, node.domain) is not None else operations.body(self, node)

    def within(self, body: Any) -> File:
        """The same for a function, which has versions of its own."""
        own = {standard(entry.domain): int(entry.version) for entry in body.opset_import}
        return File({**self.opsets, **own}, self.functions, self.notes)


def _called(node: Any) -> tuple[str, str, str]:
    return standard(node.domain), node.op_type, node.overload


def read_file(proto: Any) -> File:
    """What a model says of all its graphs."""
    functions = {(standard(one.domain), one.name, one.overload): one for one in proto.functions}
    return File({standard(entry.domain): int(entry.version) for entry in proto.opset_import}, functions)


def unknown(file: File, graph: Any, entered: set[tuple[str, str, str]] | None = None) -> Iterator[Any]:
    """The operations that nothing here computes, those of graphs and functions inside as well.

    Arguments:
        entered: Functions that were gone through.
    """
    entered = set() if entered is None else entered
    for node in graph.node:
        body = file.body(node)
        if body is None and find(node.op_type, node.domain) is None:
            yield node
        elif body is not None and _called(node) not in entered:
            entered.add(_called(node))
            yield from unknown(file.within(body), body, entered)
        for attribute in node.attribute:
            for one in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from unknown(file, one, entered)


def build(file: File, proto: Any, attributes: Mapping[str, Any] | None = None) -> Graph:
    """The graph as a module.

    Arguments:
        proto: A graph, which may read what graphs around it make, or a function.
        attributes: What a function was called with.
    """
    names = [value if isinstance(value, str) else value.name for value in proto.input]
    weights = {one.name: constants.tensor(one) for one in getattr(proto, "initializer", ())}
    weights |= {one.values.name: _dense(one) for one in getattr(proto, "sparse_initializer", ())}
    outputs = [value if isinstance(value, str) else value.name for value in proto.output]
    graph = Graph([name for name in names if name not in weights], outputs)
    builder = _Builder(file, proto, graph, weights, attributes or {})
    for node in in_order(proto):
        builder.add(node)
    builder.finish()
    return graph


def whole(file: File, proto: Any, attributes: Mapping[str, Any] | None = None) -> Graph:
    """A graph that has nothing around it, or a function.

    Raises:
        ValueError: it reads, or returns, what nothing in it makes.
    """
    graph = build(file, proto, attributes)
    if missing := read_from_around(graph):
        readers = [f"{one.op_type} `{one.name or one.output[0]}`" for one in proto.node if missing[0] in reads(one)]
        raise ValueError(f"{missing[0]!r}, which nothing in the file makes, is read by {readers[0] if readers else 'its end'}")
    return graph


class _Builder:
    """Adds the nodes of one graph in their order."""

    def __init__(self, file: File, proto: Any, graph: Graph, weights: dict[str, Any], attributes: Mapping[str, Any]) -> None:
        self.file, self.graph, self.known, self.attributes = file, graph, weights, attributes
        self.steps: list[Step] = []
        self.formats = formats(proto)

    def add(self, proto: Any) -> None:
        """One node: worked out now where all that it reads is known, as a layer else."""
        layer, outer = self._layer(proto)
        inputs, outputs = tuple(proto.input), tuple(proto.output)
        if self._folded(proto, layer, inputs, outputs, outer):
            return
        if self._draws(proto):
            self.file.notes.append(NOTE_OF_CHANCE)
        if proto.op_type in quantised.ROUNDS:
            self.file.notes.append(quantised.NOTE)
        own = free_name(self.graph, proto.name or next(filter(None, outputs), proto.op_type))
        self.graph.add_module(own, layer)
        self.steps.append(Step(own, inputs, outputs, outer))

    def _draws(self, proto: Any) -> bool:
        """Whether random numbers are drawn: dropout does so only where the file says that it trains."""
        trains = proto.input[2] if proto.op_type == "Dropout" and len(proto.input) > 2 else ""
        return proto.op_type in DRAWN and (proto.op_type != "Dropout" or bool(trains and self.known.get(trains, True)))

    def _layer(self, proto: Any) -> tuple[Operation | Graph, tuple[str, ...]]:
        body, function = self.file.body(proto), find(proto.op_type, proto.domain)
        if body is not None or function is None:
            return self._call(proto, body), ()
        check_inputs(proto, function)
        outer: dict[str, None] = {}
        attributes = dict(self._attributes(proto, outer))
        count = max((at + 1 for at, name in enumerate(proto.output) if name), default=1)
        version = self.file.opsets.get(standard(proto.domain), 1)
        name = proto.name or next(filter(None, proto.output), proto.op_type)
        known = tuple(self.formats.get(one, 0) for one in proto.input)
        node = Node(proto.op_type, name, version, attributes, count, standard(proto.domain), known)
        return Operation(node, function), tuple(outer)

    def _call(self, proto: Any, body: Any) -> Graph:
        """A function, called with the attributes of this node, or with its own where the node has none."""
        given = {entry.name: entry for entry in (*body.attribute_proto, *proto.attribute)}
        resolved = {name: self.attributes.get(one.ref_attr_name) if one.ref_attr_name else one for name, one in given.items()}
        return whole(self.file.within(body), body, {name: one for name, one in resolved.items() if one is not None})

    def _attributes(self, proto: Any, outer: dict[str, None]) -> Iterator[tuple[str, Any]]:
        for entry in proto.attribute:
            value = self.attributes.get(entry.ref_attr_name) if entry.ref_attr_name else entry
            if value is None:
                continue
            made = self._attribute(value)
            for one in made if isinstance(made, list) else [made]:
                if isinstance(one, Graph):
                    outer.update(dict.fromkeys(read_from_around(one)))
            yield entry.name, made

    def _attribute(self, entry: Any) -> Any:
        kinds = entry.AttributeType
        match entry.type:
            case kinds.TENSOR:
                return constants.tensor(entry.t)
            case kinds.TENSORS:
                return [constants.tensor(one) for one in entry.tensors]
            case kinds.SPARSE_TENSOR:
                return _dense(entry.sparse_tensor)
            case kinds.GRAPH:
                return build(self.file, entry.g, self.attributes)
            case kinds.GRAPHS:
                return [build(self.file, one, self.attributes) for one in entry.graphs]
            case kinds.STRING:
                return entry.s.decode("utf-8", "replace")
            case kinds.STRINGS:
                return [one.decode("utf-8", "replace") for one in entry.strings]
            case kinds.TYPE_PROTO:
                return entry.tp
            case kinds.INT:
                return int(entry.i)
            case kinds.FLOAT:
                return float(entry.f)
            case kinds.INTS:
                return [int(one) for one in entry.ints]
            case kinds.FLOATS:
                return [float(one) for one in entry.floats]
        raise ValueError(f"an attribute {entry.name!r} of no known type")

    def _folded(self, proto: Any, layer: Any, inputs: Sequence[str], outputs: Sequence[str], outer: Sequence[str]) -> bool:
        """Whether the node reads constants alone, so that it could be worked out."""
        if proto.op_type in DRAWN or any(name and name not in self.known for name in (*inputs, *outer)):
            return False
        around = {"outer": {name: self.known[name] for name in outer}} if outer else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = work_out(proto.op_type, layer, [self.known[name] if name else None for name in inputs], around)
        if made is None:
            return False
        made = tuple(map(quantised.plain, made if isinstance(made, tuple) else (made,)))
        self.known.update((name, value) for name, value in zip(outputs, made, strict=False) if name)
        return True

    def finish(self) -> None:
        """Give every constant that is read a home, and note after which step a value is read no more."""
        graph = self.graph
        readers = Counter(name for step in self.steps for name in {*step.inputs, *step.outer})
        for name in dict.fromkeys((*(name for step in self.steps for name in (*step.inputs, *step.outer)), *graph.outputs)):
            if name in self.known:
                self._house(name, self.known[name], readers[name])
        graph.steps = mark_dead(graph, self.steps)

    def _house(self, name: str, value: Any, readers: int) -> None:
        if not constants.is_number(value) or not value.numel():
            self.graph.fixed[name] = value
            return
        only = next((step for step in self.steps if name in step.inputs), None) if readers == 1 else None
        child = only.layer if only and isinstance(self.graph.get_submodule(only.layer), Operation) else ""
        home = self.graph.get_submodule(child) if child else self.graph
        self.graph.homes[name] = (child, keep(home, name, value, learned=not (only and _counted(home, only, name))))


def _counted(layer: Any, step: Step, name: str) -> bool:
    """Whether a constant is a mean or variance of a batch norm, which was counted and not learned."""
    return isinstance(layer, Operation) and layer.node.kind == "BatchNormalization" and step.inputs.index(name) > 2


def formats(proto: Any) -> dict[str, int]:
    """The numbers that the standard gives formats, by the names of values whose format the file says."""
    values = (*proto.input, *getattr(proto, "value_info", ()), *proto.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values if not isinstance(value, str)}
    made = [(node.output[0], entry.t) for node in proto.node if node.op_type == "Constant" for entry in node.attribute]
    found |= {name: tensor.data_type for name, tensor in made}
    return found | {tensor.name: tensor.data_type for tensor in getattr(proto, "initializer", ())}


def read_from_around(graph: Graph) -> list[str]:
    """The names that a graph reads and does not make."""
    made = {*graph.inputs, *graph.fixed, *graph.homes}
    found: dict[str, None] = {}
    for step in graph.steps:
        found.update(dict.fromkeys(name for name in (*step.inputs, *step.outer) if name and name not in made))
        made.update(step.outputs)
    found.update(dict.fromkeys(name for name in graph.outputs if name not in made))
    return list(found)


def _dense(proto: Any) -> torch.Tensor:
    """A sparse constant with its zeros."""
    values: torch.Tensor = constants.tensor(proto.values)
    indices: torch.Tensor = constants.tensor(proto.indices)
    shape = list(proto.dims)
    whole = values.new_zeros(shape)
    if indices.dim() == 1:
        return whole.flatten().index_put((indices,), values).view(shape)
    return whole.index_put(tuple(indices.T), values)
