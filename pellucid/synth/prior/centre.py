"""Centre and Inside: one object in the middle, by a penalty or by a projection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..frame import Frame
from ..protocols import Penalty
from .per_picture import Values, sum_per_picture


@dataclass(frozen=True)
class Centre(Penalty):
    """One object in the middle: departures from the picture the network calls zero cost more the further out they lie.

        sum over pixels of d^2 (x - mean)^2,   d from 0 in the middle to 1 in the corners

    References: Nguyen et al., 2016, Multifaceted feature visualization, section on centre-biased regularization,
        https://doi.org/10.48550/arXiv.1602.03616. Departure: the paper draws in phases that narrow to the centre, see `Inside`;
        this is the same aim as a penalty, for canvases that projections cannot work on.

    Example:
        >>> Centre()(torch.ones(1, 1, 5), Frame((1, 5)), {})
        tensor([2.5000])
    """

    weight: float = 1.0

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        return sum_per_picture((pictures - frame.mean).square() * eccentricity(frame).to(pictures))


@dataclass(frozen=True)
class Inside:
    """Only the middle is changed: after each step, the margin becomes what it was before.

    References: Nguyen et al., 2016, https://doi.org/10.48550/arXiv.1602.03616 (a margin of 50 of 227 pixels in the last phases)

    Arguments:
        margin: The width of the margin on each side, as a share of it.

    Example:
        >>> x = torch.ones(1, 1, 5)
        >>> Inside(0.2).after(x, 0 * x, x, step=0, frame=Frame((1, 5)))
        tensor([[[0., 1., 1., 1., 0.]]])
    """

    margin: float

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        middle = torch.ones(frame.spatial, dtype=torch.bool, device=pictures.device)
        for axis, side in enumerate(frame.spatial):
            place = torch.arange(side, device=pictures.device)
            margin = round(self.margin * side)
            within = (place >= margin) & (place < side - margin)
            middle = middle & within.reshape(-1, *[1] * (len(frame.spatial) - 1 - axis))
        return torch.where(middle, pictures, before)


def eccentricity(frame: Frame) -> Tensor:
    """The squared distance of each pixel from the middle, 1 in the corners; 0 for inputs without spatial axes."""
    axes = [torch.linspace(-1, 1, side).square() if side > 1 else torch.zeros(1) for side in frame.spatial]
    total = torch.zeros(())
    for axis in axes:
        total = total[..., None] + axis
    return total / max(1, len(axes))
