"""The segment mean imputer: every removed region takes its own mean colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.model import Model
from ..regions.regions import Partition, Regions
from .draws import SampleFill
from .imputer import Fill, Imputer


@dataclass(frozen=True)
class SegmentMean(Imputer):
    """The mean of each region over itself, channel by channel.

    Where regions overlap, or have soft edges, no entry belongs to one of them alone: then all that is gone gets the mean over all
    that is gone. A region of a single entry is its own mean: taking it away changes nothing.

    References: Ribeiro et al., 2016, "Why should I trust you?", https://doi.org/10.1145/2939672.2939778, whose implementation
        greys superpixels out this way.

    Example:
        >>> x, halves = torch.tensor([[1.0, 3.0, 5.0, 9.0]]), Partition((4,), torch.tensor([0, 0, 1, 1]))
        >>> SegmentMean().prepare(x, halves, None)(torch.ones(1, 4), [0])
        tensor([[2., 2., 7., 7.]])
    """

    soft: ClassVar[bool] = True
    around: ClassVar[bool] = True

    def prepare(self, x: Tensor, regions: Regions, model: Model | None) -> Fill:
        if isinstance(regions, Partition):
            content = _segments(x, regions.labels.to(x.device))
            return SampleFill(tuple(x.shape[1:]), lambda draw: content)

        def fill(gone: Tensor, draws: Sequence[int]) -> Tensor:
            axes = tuple(range(2, x.dim())) if x.dim() > 2 else (1,)
            share = gone.to(x).expand(len(gone), *x.shape[1:])
            return (share * x).sum(axes, keepdim=True) / share.sum(axes, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)

        return fill


def _segments(x: Tensor, labels: Tensor) -> Tensor:
    """x with every entry replaced by the mean over its label within its channel; entries without a label stay."""
    channels = x.shape[1] if x.dim() > 2 else 1
    flat = x.reshape(channels, -1)
    segment = labels.expand(x.shape[1:]).reshape(channels, -1)
    known = segment.clamp(min=0)
    n = int(known.max()) + 1
    sums = flat.new_zeros(channels, n).scatter_add_(1, known, flat * (segment >= 0))
    counts = flat.new_zeros(channels, n).scatter_add_(1, known, (segment >= 0).to(flat)).clamp(min=1)
    return torch.where(segment >= 0, (sums / counts).gather(1, known), flat).reshape(x.shape)
