"""The operations of a graph, each after those whose results it reads, whatever order a program wrote them in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any


def in_order(proto: Any) -> list[Any]:
    """The operations of a graph or function as they stand, or put into an order in which they can run.

    Raises:
        ValueError: there is none, for some wait for each other.
    """
    nodes = list(proto.node)
    makers = {name: at for at, node in enumerate(nodes) for name in node.output if name}
    given = {value if isinstance(value, str) else value.name for value in proto.input}
    waits = {at: {makers[name] for name in reads(node) if name in makers and name not in given} for at, node in enumerate(nodes)}
    if all(max(before, default=-1) < at for at, before in waits.items()):
        return nodes
    try:
        return [nodes[at] for at in TopologicalSorter(waits).static_order()]
    except CycleError as error:
        circle = ", ".join(f"{nodes[at].op_type} `{nodes[at].name or nodes[at].output[0]}`" for at in error.args[1][1:6])
        raise ValueError(f"operations that wait for each other: {circle}") from None


def reads(node: Any) -> Iterator[str]:
    """The names of all that an operation reads, those that graphs inside it read from around them as well."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        yield from _of_graphs([attribute.g] if attribute.HasField("g") else attribute.graphs)


def _of_graphs(graphs: Iterable[Any]) -> Iterator[str]:
    for graph in graphs:
        made = {one.name for one in (*graph.input, *graph.initializer)}
        made |= {name for node in graph.node for name in node.output}
        read = (*(value.name for value in graph.output), *(name for node in graph.node for name in reads(node)))
        yield from (name for name in read if name not in made)
