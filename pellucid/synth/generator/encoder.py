"""Encoder: the user's own network up to a layer, whose values are the codes of a generator prior."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.core.draws import drawing_apart
from pellucid.errors import WhereError
from pellucid.model import Model
from pellucid.model.hooks import listening, visible
from pellucid.model.outputs import main_output, tensors
from pellucid.model.where import nearest
from ..objective.activations import InputOf, LayerActivations

NEAR = 4  # modules before a place that are tried: whether they return what goes in there


@dataclass(frozen=True)
class Place:
    """Where a value is: what a module returned, or what went into it.

    Example:
        >>> print(Place("layer4"), "|", Place("fc", incoming=True))
        layer4 | what goes into fc
    """

    module: str
    incoming: bool = False

    @property
    def address(self) -> str:
        """That of `LayerActivations`."""
        return InputOf(self.module) if self.incoming else self.module

    def __str__(self) -> str:
        return f"what goes into {self.module}" if self.incoming else self.module


@dataclass(frozen=True, eq=False)
class Encoder:
    """A network up to one of its values. The pass ends there; the network itself is not changed.

    Arguments:
        activations: Gives the values at all places of the network.
        code: Where the codes are.
        features: Where the maps are that pictures are compared by, if anywhere.
    """

    activations: LayerActivations
    code: Place
    features: Place | None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The codes of inputs, and the maps besides them; differentiable by x where autograd is on."""
        values = self.values_at(x, [self.code] if self.features is None else [self.code, self.features])
        return values[self.code], None if self.features is None else values[self.features]

    def codes(self, x: Tensor) -> Tensor:
        """The codes of inputs, with shape (n, *code)."""
        return self.values_at(x, [self.code])[self.code]

    def values_at(self, x: Tensor, places: Sequence[Place]) -> dict[Place, Tensor]:
        """The values at some places, in one pass that ends with the last of them."""
        with drawing_apart(self.activations.model, x.device):
            values = self.activations.only([place.address for place in places])(x)
        return {place: values[place.address] for place in places}


def encoder(model: Model, x: Tensor, at: str | Place | None = None) -> Encoder:
    """The network up to `at`; None: up to what goes into its last dense layer, the class layer. `x` is any input.

    Raises:
        WhereError: there is no such module, it did not run, or the model has no dense layer to stop at.
    """
    events = _probe(model, x)
    code = _last_vector(model, events) if at is None else at if isinstance(at, Place) else Place(at)
    if code not in {place for place, _ in events}:
        raise _absent(model, code.module, events)
    runs = Counter(place.module for place, _ in events if not place.incoming)
    calls = {place.address: runs[place.module] for place, _ in events}
    return Encoder(LayerActivations(model, calls, False, visible(model.module)), code, _maps_before(code, events))


def code_module(inner: Encoder, x: Tensor) -> str | None:
    """The module that returns the codes, or maps whose means they are; None where they are made between modules.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
        >>> model, x = Model(net, "net", "", module=net), torch.ones(1, 1, 5, 5)
        >>> encoder(model, x).code, code_module(encoder(model, x), x)
        (Place(module='4', incoming=True), '3')
    """
    if not inner.code.incoming:
        return inner.code.module
    with torch.no_grad():
        code, events = channel_means(inner.codes(x)), _probe(inner.activations.model, x)
        last = max(i for i, (place, _) in enumerate(events) if place == inner.code)
        before = (place for place, shape in reversed(events[:last]) if shape[1:2] == code.shape[1:] and not place.incoming)
        for place in islice(dict.fromkeys(place for place in before if place.module), NEAR):
            if torch.equal(channel_means(inner.values_at(x, [place])[place]), code):
                return place.module
    return None


def channel_means(codes: Tensor) -> Tensor:
    """Codes as vectors (n, channel): maps by their means over places."""
    return codes.flatten(2).mean(2) if codes.dim() > 2 else codes


def _probe(model: Model, x: Tensor) -> list[tuple[Place, tuple[int, ...]]]:
    """The places that one pass reaches, in order, with the shapes of the values there."""
    events: list[tuple[Place, tuple[int, ...]]] = []

    def record(place: Place, value: Any) -> None:
        with suppress(StopIteration):
            events.append((place, tuple(next(tensors(value)).shape)))

    listen = listening(
        visible(model.module),
        enter=lambda path, args: record(Place(path, incoming=True), args),
        leave=lambda path, output: record(Place(path), output),
    )
    with torch.no_grad(), listen, drawing_apart(model, x.device):
        output = main_output(model.forward(x.clone()))
    return [*events, (Place("", False), tuple(output.shape))]


def _last_vector(model: Model, events: Sequence[tuple[Place, tuple[int, ...]]]) -> Place:
    """What goes into the last dense layer that ran."""
    modules = {} if model.module is None else dict(model.module.named_modules())
    dense = {path for path in visible(model.module).values() if isinstance(modules[path], nn.Linear)}
    for place, _ in reversed(events):
        if place.incoming and place.module in dense:
            return place
    raise WhereError(
        f"The last vector of {model.name} before its class layer", "no dense layer that ran",
        "the codes of a prior are a value inside the network", 'Name the layer of the codes: at="features", say.',
    )  # fmt: skip


def _maps_before(code: Place, events: Sequence[tuple[Place, tuple[int, ...]]]) -> Place | None:
    """The last value before the codes with more places than they have."""
    at = max(i for i, (place, _) in enumerate(events) if place == code)
    size = math.prod(events[at][1][2:])
    maps = [place for place, shape in events[:at] if not place.incoming and math.prod(shape[2:]) > size and place.module]
    return maps[-1] if maps else None


def _absent(model: Model, at: str, events: Sequence[tuple[Place, tuple[int, ...]]]) -> WhereError:
    modules = list(dict.fromkeys(place.module for place, _ in events if place.module))
    near = ", ".join(nearest(at, modules)) or "nothing: modules of scripted and compiled code cannot be observed"
    return WhereError(
        f"Codes of {model.name} at {at}", "nothing of that name that ran", f"the nearest are {near}", "Name one of them: at=..."
    )
