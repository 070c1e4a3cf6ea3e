"""How much of the relevance of a decision each layer carries, and how much of it speaks against: a network as a strip."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid.core.progress import report_progress
from pellucid.explanation.method import Method
from pellucid.model import load
from .channel_layer import find_layer
from .explain import explain
from .inputs import read_inputs

MOST = 12  # layers that are asked, evenly spread


class LayerRelevance(NamedTuple):
    """The relevance that arrives at one layer.

    Arguments:
        at: The layer.
        positive, negative: The sums of what speaks for the target and of what speaks against it.
        shape: Of the layer's output.
    """

    at: str
    positive: float
    negative: float
    shape: tuple[int, ...]


def layer_relevance(
    model: Any, x: Any, target: Any = None, method: str | Method = "lrp", *, most: int = MOST
) -> tuple[LayerRelevance, ...]:
    """The relevance that arrives at the layers with channels, in the order in which they run.

    Arguments:
        model, x, target, method: As `explain` takes them, for one sample.
        most: How many layers are asked at most, evenly spread; the last is always among them.

    Example:
        >>> import torch
        >>> from torch.nn import Linear, ReLU, Sequential
        >>> net = Sequential(Linear(2, 2, bias=False), ReLU(), Linear(2, 1, bias=False)).eval()
        >>> _ = net[0].weight.data.copy_(torch.eye(2)), net[2].weight.data.copy_(torch.tensor([[2.0, -1.0]]))
        >>> [(one.at, round(one.positive, 2), round(one.negative, 2)) for one in layer_relevance(net, torch.ones(1, 2))][0]
        ('0', 2.0, -1.0)
    """
    loaded = load(model)
    loaded.ready()
    batch = read_inputs(loaded, x)
    named = find_layer(batch.model, batch.x, None, None).others
    chosen = spread(named, most)
    found = []
    for number, at in enumerate(chosen):
        values = explain(loaded, x, target, method, at=at).values.double()
        found.append(
            LayerRelevance(at, float(values.clamp(min=0).sum()), float(values.clamp(max=0).sum()), tuple(values.shape[1:]))
        )
        if report_progress(number + 1, len(chosen), "layers"):
            break
    return tuple(found)


def spread(names: tuple[str, ...], most: int) -> list[str]:
    """At most so many names, evenly spread, the last among them.

    Example:
        >>> spread(("a", "b", "c", "d", "e"), 2)
        ['b', 'e']
    """
    count = min(most, len(names))
    return [names[round((n + 1) * len(names) / count) - 1] for n in range(count)]
