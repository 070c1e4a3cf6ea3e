"""The verb `units`: which channels of a layer answer to a part of an input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import adaptive_avg_pool2d

from pellucid.core.numbers import figure
from pellucid.errors import InputError
from pellucid.model import load
from pellucid.model.surroundings import surrounded
from .addresses import address
from .channel_layer import ChannelLayer, find_layer
from .inputs import read_inputs

TOP = 12


@dataclass(frozen=True)
class Unit:
    """One channel, and how it answers to a part.

    Arguments:
        channel: Its number.
        inside: Its mean activation over the part.
        outside: Its mean activation over everything else.
    """

    channel: int
    inside: float
    outside: float


@dataclass(frozen=True)
class Units:
    """The channels of a layer that answer more to a part of the input than to the rest of it.

    Arguments:
        at: The layer.
        units: The largest difference between inside and outside first.
        count: How many channels the layer has.
        others: The layers that could have been asked for.
        share: Of the layer's places, how many lie in the part.
    """

    at: str
    units: tuple[Unit, ...]
    count: int
    others: tuple[str, ...]
    share: float

    def __repr__(self) -> str:
        return f"Units({len(self.units)} of {self.count} channels of {self.at})"

    def sentence(self) -> str:
        """The result in words."""
        if not self.units:
            return f"No channel of {self.at} answers more to this part than to the rest."
        named = ", ".join(f"{one.channel} ({figure(one.inside)}, elsewhere {figure(one.outside)})" for one in self.units[:3])
        return f"Of the {self.count} channels of {self.at}, these answer most to this part: {named}."

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return asdict(self) | {"sentence": self.sentence()}


def units_at(model: Any, x: Any, part: Tensor, *, at: str | Module | None = None, top: int = TOP) -> Units:
    """Which channels of a layer answer more to a part of a picture than to the rest of it.

    Formula: for every channel the mean activation over the places of the part, less the mean over all others; a place of the
    layer belongs to the part as far as its square of the picture does.

    Arguments:
        model, x: As `explain` takes them; one picture.
        part: True inside, with shape (height, width) of the input.
        at: The layer; None: the last one with maps.
        top: How many channels, at most.

    Raises:
        InputError: it is no picture, or the part is empty or everything.
        WhereError: the layer has no maps.

    References: Bau et al., 2017, Network dissection, https://doi.org/10.1109/CVPR.2017.354, compares units with parts over many
        pictures; this is about one.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.Flatten(), torch.nn.Linear(8, 2)).eval()
        >>> _ = net[0].weight.data.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        >>> x = torch.tensor([[[[3.0, 0.0], [0.0, 0.0]]]])
        >>> units_at(net, x, x[0, 0] > 0, at="0").units
        (Unit(channel=0, inside=3.0, outside=0.0),)
    """
    loaded = load(model)
    loaded.ready()
    with surrounded(loaded) as own:
        batch = read_inputs(own, x)
        part = torch.as_tensor(part).bool().cpu()
        if batch.x.dim() != 4 or len(batch.x) != 1 or tuple(part.shape) != tuple(batch.x.shape[2:]):
            found = f"an input of shape {tuple(batch.x.shape)} and a mask of shape {tuple(part.shape)}"
            raise InputError(
                "units at a part", found, "a part is one of a picture, pixel by pixel", "Give one picture and its mask."
            )
        layer = find_layer(batch.model, batch.x, None, address(loaded, at))
    inside, share = means(layer, part)
    if not 0 < share < 1:
        raise InputError("units at a part", f"{share:.0%} of the picture", "there is nothing to compare it with", "Mark a part.")
    outside = (layer.rows(layer.value).mean(1).double() - share * inside) / (1 - share)
    order = (inside - outside).argsort(descending=True, stable=True)[:top].tolist()
    units = (Unit(n, float(inside[n]), float(outside[n])) for n in order if inside[n] > outside[n])
    return Units(layer.at, tuple(units), len(inside), layer.others, share)


def means(layer: ChannelLayer, part: Tensor) -> tuple[Tensor, float]:
    """The mean of every channel over the part, and the share of the layer's places that lie in it.

    Raises:
        InputError: the layer has no rows and columns.
    """
    if len(layer.sizes) != 2:
        found = f"{layer.at}, whose places are {layer.sizes}"
        raise InputError("units at a part", found, "it has no rows and columns", f"Name one of {', '.join(layer.others)}.")
    weights = adaptive_avg_pool2d(part[None].double(), layer.sizes).flatten()
    values = layer.rows(layer.value).double().cpu()
    return values @ weights / weights.sum().clamp(min=1e-12), float(weights.mean())
