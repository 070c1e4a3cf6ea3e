"""What surrounds a call: mixed precision and a default device hold for the network alone, not for what is computed about it; and
what the network keeps from call to call is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar, cast

import torch

from .load import load
from .memory import remembering
from .model import Model

Verb = TypeVar("Verb", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Surrounded:
    """A network as it runs where it was called.

    Arguments:
        forward: The network.
        kind: The type of the devices that autocast is for.
        dtype: What autocast computes with; None where it is off.
        device: Where new tensors are made; None where that is the CPU anyway.
    """

    forward: Callable[..., Any]
    kind: str
    dtype: torch.dtype | None
    device: torch.device | None

    def __call__(self, *inputs: Any, **extra: Any) -> Any:
        with torch.autocast(self.kind, self.dtype, enabled=self.dtype is not None):
            if self.device is None:
                return self.forward(*inputs, **extra)
            with self.device:
                return self.forward(*inputs, **extra)


@contextmanager
def surrounded(model: Model) -> Iterator[Model]:
    """The model as it runs here, for a block in which nothing else is done so.

    Example:
        >>> model = Model(torch.nn.Linear(2, 1), "tiny", "nn.Module")
        >>> with torch.autocast("cpu", torch.bfloat16), surrounded(model) as own:
        ...     own(torch.ones(1, 2)).dtype, (torch.ones(1, 2) @ torch.ones(2, 1)).dtype
        (torch.bfloat16, torch.float32)
    """
    model = remembering(model)
    kind = model.device.type if model.device.type != "meta" else "cpu"
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    device: torch.device | None = torch.get_default_device()
    device = None if device is None or device.type == "cpu" else device
    if dtype is None and device is None:
        yield model
        return
    own = replace(model, forward=Surrounded(model.forward, kind, dtype, device))
    with torch.autocast(kind, enabled=False):
        if device is None:
            yield own
            return
        with torch.device("cpu"):
            yield own


def for_the_network_alone(verb: Verb) -> Verb:
    """A verb, whose first argument is a model, for which autocast and a default device around its call hold inside the network
    alone.

    Example:
        >>> score = for_the_network_alone(lambda model, x: (model(x).dtype, (x @ x.T).dtype))
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     score(torch.nn.Linear(2, 1), torch.ones(1, 2))
        (torch.bfloat16, torch.float32)
    """

    @wraps(verb)
    def apart(model: Any, *args: Any, **options: Any) -> Any:
        with surrounded(load(model)) as own:
            return verb(own, *args, **options)

    return cast(Verb, apart)
