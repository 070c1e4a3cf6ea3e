"""SmallNorm and SmallContribution: projections that set unimportant pixels to what the network calls zero."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..frame import Frame
from .per_picture import per_picture


@dataclass(frozen=True)
class SmallNorm:
    """After each step, the pixels with the smallest norm over their channels become what the network calls zero.

    References: Yosinski et al., 2015, section 3 (pixels with small norm), https://doi.org/10.48550/arXiv.1506.06579

    Arguments:
        percent: How many of a picture's pixels, from 0 to 100. The columns of a table are pixels each.

    Example:
        >>> x = torch.tensor([[[0.5, -3.0, 2.0], [0.5, 0.0, 0.0]]])
        >>> SmallNorm(50).after(x, x, x, step=0, frame=Frame((2, 3)))
        tensor([[[ 0., -3.,  2.],
                 [ 0.,  0.,  0.]]])
    """

    percent: float

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        away = pictures - frame.mean
        return zero_smallest(pictures, _over_channels(away.square()).sqrt(), self.percent, frame)


@dataclass(frozen=True)
class SmallContribution:
    """After each step, the pixels whose removal would change the score least become what the network calls zero.

        |sum over channels of g (mean - x)|,   to first order what the score changes when the pixel is removed

    References: Yosinski et al., 2015, section 3 (pixels with small contribution), https://doi.org/10.48550/arXiv.1506.06579, with
        x after the step and g before it, as in its code

    Arguments:
        percent: How many of a picture's pixels, from 0 to 100.

    Example:
        >>> x, g = torch.tensor([[[1.0, 5.0]]]), torch.tensor([[[2.0, 0.1]]])
        >>> SmallContribution(50).after(x, x, g, step=0, frame=Frame((1, 2)))
        tensor([[[1., 0.]]])
    """

    percent: float

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        return zero_smallest(pictures, _over_channels(slope * (frame.mean - pictures)).abs(), self.percent, frame)


def _over_channels(t: Tensor) -> Tensor:
    return t.sum(1, keepdim=True) if t.dim() > 2 else t


def zero_smallest(pictures: Tensor, sizes: Tensor, percent: float, frame: Frame) -> Tensor:
    """Pictures with the pixels below that percentile of `sizes` set to what the network calls zero."""
    flat = sizes.flatten(1)
    place = percent / 100 * (flat.shape[1] - 1)
    ranked = flat.sort(1).values  # torch.quantile takes no more than 16 million numbers
    low, high = ranked[:, int(place)], ranked[:, min(int(place) + 1, flat.shape[1] - 1)]
    least = low + (place - int(place)) * (high - low)
    return torch.where(sizes < per_picture(least, sizes), frame.mean, pictures)
