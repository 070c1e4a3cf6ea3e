"""Encoder: the user's own network up to a layer, differentiable by its input."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import WhereError
from pellucid.model import Model
from pellucid.model.hooks import listening, visible
from pellucid.model.outputs import main_output, tensors
from pellucid.model.where import nearest

NEAR = 4  # modules before a place that are asked whether they return what goes in there


@dataclass(frozen=True)
class Place:
    """Where a value is: what a module returned, or what went into it.

    Example:
        >>> print(Place("layer4"), "|", Place("fc", incoming=True))
        layer4 | what goes into fc
    """

    module: str
    incoming: bool = False

    def __str__(self) -> str:
        return f"what goes into {self.module}" if self.incoming else self.module


@dataclass(frozen=True, eq=False)
class Encoder:
    """A network up to one of its values. The pass ends there; the network itself is not changed.

    Arguments:
        model: Whose network.
        code: Where the codes are.
        features: Where the maps are that pictures are compared by, if anywhere.
        calls: How often the modules at these places run in one pass; the last run counts.
    """

    model: Model
    code: Place
    features: Place | None
    calls: Counter[str]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The codes of inputs, and the maps beside them."""
        found = self.values_at(x, [self.code] if self.features is None else [self.code, self.features])
        return found[self.code], None if self.features is None else found[self.features]

    def codes(self, x: Tensor) -> Tensor:
        """The codes of inputs, differentiable by them where autograd is on."""
        return self.values_at(x, [self.code])[self.code]

    def values_at(self, x: Tensor, places: Sequence[Place]) -> dict[Place, Tensor]:
        """The values at some places, in one pass that ends with the last of them."""
        found: dict[Place, Tensor] = {}
        left = Counter({place: self.calls[place.module] for place in places})
        enough = _Enough()

        def receive(place: Place, value: Any) -> None:
            if left[place] > 0:
                found[place] = next(tensors(value)).clone()  # an operation after it may write there
                left[place] -= 1
                if not any(left.values()):
                    raise enough

        with _at_places(self.model, receive), torch.random.fork_rng(_devices(x)):
            try:
                self.model.forward(x.clone())
            except _Enough as signal:
                if signal is not enough:
                    raise
        return found


class _Enough(BaseException):
    """All values that are wanted are known; passes through the `except Exception` of a network."""


def encoder(model: Model, x: Tensor, at: str | Place | None = None) -> Encoder:
    """The network up to `at`; up to what goes into its last dense layer, the class layer, if no place is named.

    Arguments:
        x: Any input, to see what runs.

    Raises:
        WhereError: there is no such module, it did not run, or the model has no dense layer to stop at.
    """
    events = _probe(model, x)
    code = _last_vector(model, events) if at is None else at if isinstance(at, Place) else Place(at)
    if code not in {place for place, _ in events}:
        raise _absent(model, code.module, events)
    calls = Counter(place.module for place, _ in events if not place.incoming)
    return Encoder(model, code, _maps_before(code, events), calls)


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
        code, events = channel_means(inner.codes(x)), _probe(inner.model, x)
        last = max(i for i, (place, _) in enumerate(events) if place == inner.code)
        before = (place for place, shape in reversed(events[:last]) if shape[1:2] == code.shape[1:] and not place.incoming)
        for place in islice(dict.fromkeys(place for place in before if place.module), NEAR):
            if torch.equal(channel_means(inner.values_at(x, [place])[place]), code):
                return place.module
    return None


def channel_means(codes: Tensor) -> Tensor:
    """Codes with their means over places, where they have any: (n, channel)."""
    return codes.flatten(2).mean(2) if codes.dim() > 2 else codes


def _probe(model: Model, x: Tensor) -> list[tuple[Place, tuple[int, ...]]]:
    """What runs in one pass, in order: places, and the shapes of the values there."""
    events: list[tuple[Place, tuple[int, ...]]] = []

    def receive(place: Place, value: Any) -> None:
        with suppress(StopIteration):
            events.append((place, tuple(next(tensors(value)).shape)))

    with torch.no_grad(), _at_places(model, receive), torch.random.fork_rng(_devices(x)):
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
        "the codes of a prior are a value inside the network", 'Name the layer whose value is meant: at="features", say.',
    )  # fmt: skip


def _maps_before(code: Place, events: Sequence[tuple[Place, tuple[int, ...]]]) -> Place | None:
    """The last value before the codes that has more places than they."""
    at = max(i for i, (place, _) in enumerate(events) if place == code)
    size = math.prod(events[at][1][2:])
    maps = [place for place, shape in events[:at] if not place.incoming and math.prod(shape[2:]) > size and place.module]
    return maps[-1] if maps else None


def _at_places(model: Model, receive: Callable[[Place, Any], None]) -> AbstractContextManager[None]:
    """Call `receive` with what goes into every module, and with what it returns, during this block."""
    return listening(
        visible(model.module),
        enter=lambda path, args: receive(Place(path, incoming=True), args),
        leave=lambda path, output: receive(Place(path), output),
    )


def _absent(model: Model, at: str, events: Sequence[tuple[Place, tuple[int, ...]]]) -> WhereError:
    known = list(dict.fromkeys(place.module for place, _ in events if place.module))
    near = ", ".join(nearest(at, known)) or "nothing: the inside of scripted and compiled code cannot be seen"
    return WhereError(
        f"Codes of {model.name} at {at}", "nothing of that name that ran", f"the nearest are {near}", "Name one of them: at=..."
    )


def _devices(x: Tensor) -> list[torch.device]:
    return [x.device] if x.device.type == "cuda" else []
