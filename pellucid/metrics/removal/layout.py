"""Fitting metrics to samples: which axis holds the channels, which regions are removed, and what replaces them."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.methods.perturb.imputers.column_values import ColumnValues
from pellucid.methods.perturb.regions.division import Division, Entries, Groups, as_division
from pellucid.methods.perturb.regions.regions import Partition, partition, table_columns
from pellucid.model import Model, Text
from pellucid.model.modality.tokens import TEXT
from ..metric import Metric
from .default_imputer import DefaultImputer
from .experiment import Scheme


class ChannelsFirst(nn.Module):
    """A network, or a function, whose input has its channels on axis 1, wherever it takes them itself."""

    def __init__(self, net: Any, channels: int) -> None:
        super().__init__()
        self.net, self.channels, self.training = net, channels, False

    def forward(self, x: Tensor) -> Any:
        return self.net(x.movedim(1, self.channels))


def channels_first(model: Model, x: Tensor, channels: int) -> tuple[Model, Tensor]:
    """The same model and samples with the channels on axis 1: tokens given as vectors then lie like the steps of a signal.

    Raises:
        InputError: there is no such axis, or none of places beside it.

    Example:
        >>> import torch
        >>> import pellucid as pl
        >>> tokens = torch.zeros(2, 5, 3)  # five of three channels
        >>> model, x = channels_first(pl.load(lambda x: x[:, 0]), tokens, channels=-1)
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
    forward = ChannelsFirst(model.forward, axis)
    module = forward if model.forward is model.module else model.module
    return replace(model, forward=forward, module=module), x.movedim(axis, 1).contiguous()


def with_regions(metric: Metric, regions: Division | Tensor | None = None, imputer: Any = None) -> Metric:
    """The metric with these regions and this imputer, if it removes regions; else as it is.

    Example:
        >>> from pellucid.metrics import SRG
        >>> from pellucid.methods.perturb import Grid
        >>> with_regions(SRG(), Grid(4), 0.0).scheme.regions
        Grid(n=4)
    """
    scheme = getattr(metric, "scheme", None)
    if not isinstance(scheme, Scheme) or not is_dataclass(metric) or (regions is None and imputer is None):
        return metric
    filled = scheme.imputer if imputer is None else imputer
    return replace(metric, scheme=replace(scheme, regions=as_division(regions, scheme.regions), imputer=filled))


@dataclass(frozen=True)
class TokenRegions(Division):
    """The tokens, words or sentences of token ids; special tokens and padding are in none, and are never removed.

    Arguments:
        by: "token", "word" or "sentence".
    """

    by: str = "token"

    def of(self, x: Tensor, model: Model) -> Partition:
        labels, text = torch.full((x.shape[1],), -1), model.preprocess
        if not isinstance(text, Text):
            return Entries().of(x, model)
        tokens = text.tokens(x)
        groups = [[at for at in places if tokens.kinds[0][at] == TEXT] for _, places in tokens.groups(self.by, 0)]
        for number, places in enumerate(filter(None, groups)):
            labels[places] = number
        return partition(labels)


def for_tokens(metric: Metric, model: Model, x: Tensor) -> Metric:
    """The metric for token ids: its regions are tokens, and the tokenizer's blank replaces them; else as it is.

    Raises:
        InputError: there is no blank token.
    """
    scheme = getattr(metric, "scheme", None)
    if x.is_floating_point() or not isinstance(scheme, Scheme) or not is_dataclass(metric):
        return metric
    given, text = scheme.imputer, model.preprocess
    blank = given if isinstance(given, int) else text.blank_id if isinstance(text, Text) else None
    if blank is None:
        raise InputError(
            f"metric {metric.name!r} of token ids", "no blank token to replace removed ones",
            "ids are not amounts: 0 is a token, too",
            "Give one, such as imputer=103, or load the model with preprocess=pl.Text(tokenizer).",
        )  # fmt: skip
    own = scheme.regions if isinstance(scheme.regions, Groups) else TokenRegions(getattr(scheme.regions, "by", "token"))
    return replace(metric, scheme=replace(scheme, regions=own, imputer=float(blank)))


def for_table(metric: Metric, model: Model, x: Tensor) -> Metric:
    """The metric for rows of a table with categories: where zero was usual, columns stand at their mean, or at every value.

    Example:
        >>> from pellucid.metrics import SRG
        >>> from pellucid.model import Column, Columns, load
        >>> risk = load(nn.Linear(3, 2), preprocess=Columns((Column("age"), Column("smoker", values=("no", "yes")))))
        >>> str(for_table(SRG(), risk, torch.zeros(1, 3)).scheme.imputer)
        'ColumnValues(2 columns)'
    """
    scheme, columns = getattr(metric, "scheme", None), table_columns(x[:1], model)
    if columns is None or not bool(columns.whole.any()) or not isinstance(scheme, Scheme) or not is_dataclass(metric):
        return metric
    usual = isinstance(scheme.imputer, DefaultImputer) or (isinstance(scheme.imputer, (int, float)) and scheme.imputer == 0)
    return replace(metric, scheme=replace(scheme, imputer=ColumnValues(model.preprocess))) if usual else metric


def for_sample(metric: Metric, model: Model, x: Tensor) -> Metric:
    """The metric for what samples are: token ids, rows of a table, or neither."""
    return for_table(for_tokens(metric, model, x), model, x)


def split_texts(model: Model, x: Tensor) -> list[Tensor]:
    """Batches to be judged together: of token ids every text by itself, without padding; else all samples."""
    if x.is_floating_point():
        return [x]
    if not isinstance(model.preprocess, Text):
        return [row[None] for row in x]
    return [row[slice(*model.preprocess.extent(row.tolist()))][None] for row in x]


def check_real(x: Tensor, what: str) -> Tensor:
    """The samples, if they are real numbers, which can be perturbed.

    Raises:
        InputError: they are whole numbers, such as token ids.
    """
    if x.is_floating_point():
        return x
    raise InputError(
        what, f"samples of {x.dtype}", "it perturbs every entry a little, and a perturbed id is another token",
        "Use metrics that remove regions, such as srg, or explain embeddings.",
    )  # fmt: skip
