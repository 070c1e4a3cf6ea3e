"""The softmax that ends a graph: found as one operation or as the five it is made of, and left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .graph import Graph, Step, mark_dead

MOVES = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Dropout"})
SPREADS = MOVES | {"Expand", "Tile"}


def without_softmax(graph: Graph) -> bool:
    """Let a graph whose one output is a softmax over classes return what goes into it; whether it was one.

    What only moves the probabilities about afterwards is done to the scores.
    """
    if len(graph.outputs) != 1:
        return False
    makers = {name: step for step in graph.steps for name in step.outputs if name}
    step = makers.get(graph.outputs[0])
    while step is not None and kind(graph, step) in MOVES:
        step = makers.get(step.inputs[0])
    if step is None:
        return False
    score = step.inputs[0] if kind(graph, step) == "Softmax" else _score(graph, step, makers)
    if score is None:
        return False
    _skip(graph, step, score)
    return True


def kind(graph: Graph, step: Step) -> str:
    return str(getattr(getattr(graph.get_submodule(step.layer), "node", None), "kind", ""))


def _score(graph: Graph, step: Step, makers: Mapping[str, Step]) -> str | None:
    """The input of a softmax that is written as exp(x - max x) / sum exp(x - max x)."""
    if kind(graph, step) != "Div":
        return None
    above, below = step.inputs
    total = makers.get(below)
    while total is not None and kind(graph, total) in SPREADS:
        total = makers.get(total.inputs[0])
    powers = makers.get(above)
    if total is None or powers is None or kind(graph, total) != "ReduceSum" or kind(graph, powers) != "Exp":
        return None
    if total.inputs[0] != above:
        return None
    shifted = makers.get(powers.inputs[0])
    if shifted is None or kind(graph, shifted) != "Sub":
        return powers.inputs[0]
    most = makers.get(shifted.inputs[1])
    while most is not None and kind(graph, most) in SPREADS:
        most = makers.get(most.inputs[0])
    known = most is not None and kind(graph, most) == "ReduceMax" and most.inputs[0] == shifted.inputs[0]
    return shifted.inputs[0] if known else None


def _skip(graph: Graph, step: Step, score: str) -> None:
    """Let what reads a value read the scores instead; steps that nothing reads any more are dropped."""
    gone = step.outputs[0]

    def renamed(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(score if name == gone else name for name in names)

    steps = [replace(one, inputs=renamed(one.inputs)) for one in graph.steps if one != step]
    graph.outputs = renamed(graph.outputs)
    needed = set(graph.outputs)
    kept: list[Step] = []
    for one in reversed(steps):
        if needed & set(one.outputs):
            kept.append(one)
            needed |= {*one.inputs, *one.outer}
        else:
            del graph._modules[one.layer]
    if step.layer in graph._modules:
        del graph._modules[step.layer]
    graph.homes = {name: home for name, home in graph.homes.items() if not home[0] or home[0] in graph._modules}
    graph.fixed = {name: value for name, value in graph.fixed.items() if name in needed}
    graph.steps = mark_dead(graph, tuple(reversed(kept)))
