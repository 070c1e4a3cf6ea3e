"""Layout: which axis of a sample holds what, and which parts metrics take away, where users know better than the shape tells."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.methods.perturb.regions.defaults import as_division
from pellucid.methods.perturb.regions.division import Division, Entries, Groups
from pellucid.methods.perturb.regions.regions import Partition, partition
from pellucid.model import Model, Text
from pellucid.model.modality.tokens import TEXT
from ..metric import Metric
from .experiment import Scheme


class Turned(nn.Module):
    """A network that is given the channels on axis 1, wherever its own input has them."""

    def __init__(self, net: Any, channels: int) -> None:
        super().__init__()
        self.net, self.channels, self.training = net, channels, False

    def forward(self, x: Tensor) -> Any:
        return self.net(x.movedim(1, self.channels))


def turned(model: Model, x: Tensor, channels: int) -> tuple[Model, Tensor]:
    """The same model and samples with the channels on axis 1: tokens given as vectors then lie like the steps of a signal.

    Raises:
        InputError: there is no such axis, or none of places beside it.

    Example:
        >>> import torch
        >>> import pellucid as pl
        >>> model, x = turned(pl.load(lambda x: x[:, 0]), torch.zeros(2, 5, 3), channels=-1)  # five tokens of three channels
        >>> x.shape, model(x).shape
        (torch.Size([2, 3, 5]), torch.Size([2, 3]))
    """
    axis = channels if channels >= 0 else x.dim() + channels
    if x.dim() < 3 or not 0 < axis < x.dim():
        raise InputError(
            f"An evaluation with channels={channels}", f"samples of shape {tuple(x.shape[1:])}",
            "channels are an axis of the samples, beside one of places", "Leave it out; for (batch, token, channel) say -1.",
        )  # fmt: skip
    if axis == 1:
        return model, x
    if isinstance(model.module, nn.Module) and model.forward is model.module:
        made = Turned(model.module, axis)
        return replace(model, forward=made, module=made), x.movedim(axis, 1).contiguous()
    return replace(model, forward=_Called(model.forward, axis)), x.movedim(axis, 1).contiguous()


class _Called:
    """A function that is given the channels on axis 1."""

    def __init__(self, fn: Any, channels: int) -> None:
        self.fn, self.channels = fn, channels

    def __call__(self, x: Tensor) -> Any:
        return self.fn(x.movedim(1, self.channels))


def suited(metric: Metric, regions: Division | Tensor | None = None, imputer: Any = None) -> Metric:
    """The metric with these parts, and this in their place, if it takes parts away; else as it is.

    Example:
        >>> from pellucid.metrics import SRG
        >>> from pellucid.methods.perturb import Grid
        >>> suited(SRG(), Grid(4), 0.0).scheme.regions
        Grid(n=4)
    """
    scheme = getattr(metric, "scheme", None)
    if not isinstance(scheme, Scheme) or not is_dataclass(metric) or (regions is None and imputer is None):
        return metric
    filled = scheme.imputer if imputer is None else imputer
    return replace(metric, scheme=replace(scheme, regions=as_division(regions, scheme.regions), imputer=filled))


@dataclass(frozen=True)
class OfTokens(Division):
    """The tokens, words or sentences of token ids; special tokens and padding are in none, and stay.

    Arguments:
        by: "token", "word" or "sentence".
    """

    by: str = "token"

    def of(self, x: Tensor, model: Model) -> Partition:
        labels, text = torch.full((x.shape[1],), -1), model.preprocess
        if not isinstance(text, Text):
            return Entries().of(x, model)
        tokens = text.tokens(x)
        spoken = [[at for at in places if tokens.kinds[0][at] == TEXT] for _, places in tokens.groups(self.by, 0)]
        for number, places in enumerate(filter(None, spoken)):
            labels[places] = number
        return partition(labels)


def worded(metric: Metric, model: Model, x: Tensor) -> Metric:
    """The metric for token ids: its parts are tokens, and the tokenizer's blank stands where they were; else as it is.

    Raises:
        InputError: no token is known that says nothing.
    """
    scheme = getattr(metric, "scheme", None)
    if x.is_floating_point() or not isinstance(scheme, Scheme) or not is_dataclass(metric):
        return metric
    given, text = scheme.imputer, model.preprocess
    blank = given if isinstance(given, int) else text.blank_id if isinstance(text, Text) else None
    if blank is None:
        raise InputError(
            f"metric {metric.name!r} of token ids", "no token that stands where one is taken away",
            "ids are no amounts: 0 is a token, too",
            "Say which: imputer=103, say, or load the model with preprocess=pl.Text(tokenizer).",
        )  # fmt: skip
    own = scheme.regions if isinstance(scheme.regions, Groups) else OfTokens(getattr(scheme.regions, "by", "token"))
    return replace(metric, scheme=replace(scheme, regions=own, imputer=float(blank)))


def rows(model: Model, x: Tensor) -> list[Tensor]:
    """Samples that go together: of token ids every text by itself, without padding; else all of them."""
    if x.is_floating_point():
        return [x]
    padding = model.preprocess.padding if isinstance(model.preprocess, Text) else None
    return [row[row != padding][None] if padding is not None else row[None] for row in x]


def numbers(x: Tensor, what: str) -> Tensor:
    """The samples, if they are numbers that can be moved a little.

    Raises:
        InputError: they are ids, of tokens say, of which another one is another thing.
    """
    if x.is_floating_point():
        return x
    raise InputError(
        what, f"samples of {x.dtype}", "it moves every entry by a little, and an id that is moved is another thing",
        "Judge by metrics that take parts away, such as srg, or explain embeddings.",
    )  # fmt: skip
