"""Network: what is verified, as a function of one batch of real numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from pellucid.core.draws import DeviceGenerators, drawing_from
from pellucid.model import Model
from pellucid.model.outputs import main_output
from pellucid.tape import Tape, record
from pellucid.target import Target, as_target
from .slopes import direction, plain, precision

PART = 2**22  # entries of an output that are compared at a time, in double precision


@dataclass(frozen=True, eq=False)
class Network:
    """A model and the batch that explanations start from: the input itself, or the vectors of a text's tokens.

    Arguments:
        model: A handle on a model of one tensor.
        x: The batch.
        target: What is explained, for the checks of relevance.
        text: Whether the batch holds vectors of tokens.
        places: Which tokens a mask lets the network read, where there is one.
    """

    model: Model
    x: Tensor
    target: Target = field(default_factory=lambda: as_target(None))
    text: bool = False
    places: Tensor | None = None

    def output(self, x: Tensor | None = None) -> Tensor:
        """The main output, a row per sample."""
        x = self.x if x is None else x
        out = plain(self.model.forward, [x])
        return out.detach().reshape(len(x), -1)

    @cached_property
    def tape(self) -> Tape:
        return record(self.model, self.x)

    @cached_property
    def size(self) -> float:
        """The largest entry of the output, which differences are measured against."""
        return max(float(self.output().double().abs().max()), 1e-30)

    @property
    def bound(self) -> float:
        """How far two ways of computing the same output may lie apart, as a share of its largest entry."""
        return max(1e-4, 30 * precision(self.output()))

    def apart(self, one: Tensor, other: Tensor) -> float:
        """The largest difference of two outputs, as a share of the largest entry; infinite where they have other shapes."""
        return apart(one, other, self.size)

    def altered(self, rows: Tensor, name: str, share: float = 0.5) -> Tensor:
        """Rows with noise added, as other samples of the same kind."""
        return rows + share * direction(rows, name)

    def drawn(self, seed: int) -> Tensor:
        """The main output where the model draws the random numbers of a seed, if it draws any."""
        with torch.no_grad(), drawing_from(DeviceGenerators(seed)):
            return main_output(self.model.forward(self.x.clone())).detach()


def apart(one: Tensor, other: Tensor, size: float | None = None) -> float:
    """The largest difference of two outputs, as a share of the largest entry; infinite where they have other shapes.

    Arguments:
        size: That entry; None: the largest of the first.
    """
    if one.numel() != other.numel():
        return float("inf")
    if not one.numel():
        return 0.0
    size = max(_largest(one), 1e-30) if size is None else size
    parts = zip(torch.split(one.reshape(-1), PART), torch.split(other.reshape(-1), PART), strict=True)
    return max(_farthest(a.double().cpu(), b.double().cpu()) for a, b in parts) / size


def _largest(t: Tensor) -> float:
    """The size of the largest entry that is a number."""
    return max(float(part.double().abs().nan_to_num().max()) for part in torch.split(t.reshape(-1), PART))


def _farthest(one: Tensor, other: Tensor) -> float:
    same = (one == other) | (one.isnan() & other.isnan())
    off = (one - other).abs().masked_fill(same, 0.0)
    return float(off.max()) if bool(off.isfinite().all()) else float("inf")
