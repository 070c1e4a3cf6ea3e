"""ChannelLayer: the layer whose channels `concepts` ranks: the one that is named, or the last with feature maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pellucid.errors import MethodError, WhereError
from pellucid.methods.layer_choice import choose_map
from pellucid.model import Model
from pellucid.model.where import Where
from pellucid.tape import Tape, find, path, record, resolve_target, rewrite
from pellucid.tape.axes.layout import axes_of
from pellucid.tape.seed import find_output
from pellucid.target import Target, as_target, channel
from pellucid.target.condition import Axes, Condition
from pellucid.target.selection import channels


@dataclass(frozen=True, eq=False)
class ChannelLayer:
    """A layer with channels.

    Arguments:
        at: Its address.
        axes: Which axes of its value are samples, channels and places.
        value: What it returned.
        others: The addresses of all such layers.
        notes: Why it was chosen, where nobody named one.
    """

    at: str
    axes: Axes
    value: Tensor
    others: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.axes.shape[d] for d in self.axes.places)

    @property
    def tokens(self) -> bool:
        """Whether channels stand on the last axis, as those of tokens do."""
        return self.axes.channel != 1

    def rows(self, t: Tensor) -> Tensor:
        """A tensor that lies as the value does, as (channel, place)."""
        assert self.axes.channel is not None
        return t.movedim(self.axes.channel, 0).reshape(t.shape[self.axes.channel], -1)

    def only(self, number: int) -> Condition:
        return channels(number, axis=self.axes.channel)

    def unit(self, number: int) -> Target:
        return channel(self.at, number, tokens="all" if self.tokens else None)


def find_layer(model: Model, x: Tensor, target: Any, at: str | Where | None) -> ChannelLayer:
    """The layer at an address; without one, the last that has maps.

    Raises:
        WhereError: no layer with channels is there; the message names those there are.
    """
    tape = record(model, x)
    rewritten, notes = rewrite(tape), tuple[str, ...]()
    named = _layers(rewritten)
    if at is None:
        at, which = _last_layer(tape, rewritten, named, model, target)
        notes = (f"{at} is the last layer {which}; at= names another one.",)
    id = find(rewritten, at)
    axes = axes_of(rewritten, id, str(at))
    if axes.channel is None or (axes.batch is None and len(x) > 1) or axes.shape[axes.channel] < 2:
        raise WhereError(
            f"Concepts at {at}", f"a value of shape {axes.shape}", "it has no channels to tell apart",
            f"Name one of {', '.join(list(named)[-6:]) or 'the layers inside'}.",
        )  # fmt: skip
    return ChannelLayer(str(at), axes, tape.value(id), tuple(named), notes)


def _last_layer(tape: Tape, rewritten: Tape, named: dict[str, int], model: Model, target: Any) -> tuple[str, str]:
    """The last layer with maps, by an address that leads to it; where there is none, the last one inside. And which it is."""
    try:
        chosen = choose_map(tape, resolve_target(tape, as_target(target), model), "concepts")
    except MethodError:
        chosen = None
    if chosen is not None:
        producer = tape.values[chosen.id].producer
        for address in (chosen.name, "" if producer is None else tape.ops_by_index[producer].module):
            if address in named and find(rewritten, address) == chosen.id:
                return address, "with maps"
        before = [name for name, id in named.items() if id <= chosen.id and len(rewritten.values[id].shape) == len(chosen.shape)]
        if before:
            return before[-1], "with maps"
    if not named:
        raise WhereError(
            "Concepts without at=", "no named layer by which the decision comes", "there are no channels to tell apart",
            "Explain the input itself: pl.explain(model, x).",
        )  # fmt: skip
    return list(named)[-1], "inside"


def _layers(tape: Tape) -> dict[str, int]:
    """The layers with channels that relevance comes by, in the order in which they ran, the output not among them."""
    if tape.returned:
        ran = {name: ids[-1] for name, ids in tape.returned.items() if name}
    else:
        modules = dict.fromkeys(op.module for op in tape.ops_by_index if op.module)
        ran = {name: find(tape, name) for name in modules}
    output = find_output(tape)
    passed = {i for op in path(tape, (output,)) for i in (*op.outs, *op.inner)}
    layers: dict[str, int] = {}
    for name, id in sorted(ran.items(), key=lambda item: (item[1], item[0].count("."))):
        shape = tape.values[id].shape
        if id in passed and id != output and id not in layers.values() and len(shape) > 1 and max(shape[1:]) > 1:
            layers[name] = id
    return layers
