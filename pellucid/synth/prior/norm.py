"""Norms: the distance from the picture the network calls zero, as penalties (L2, AlphaNorm) and projections (Ball, Decay)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import MethodError
from ..frame import Frame
from ..protocols import Penalty
from .per_picture import Values, per_picture, sum_per_picture


@dataclass(frozen=True)
class L2(Penalty):
    """The squared length: sum of (x - mean)^2, the mean being what the network calls zero.

    References: Simonyan et al., 2013, Deep inside convolutional networks, Eq. 1, https://doi.org/10.48550/arXiv.1312.6034

    Example:
        >>> L2()(torch.tensor([[[3.0, 4.0]]]), Frame((1, 2)), {})
        tensor([25.])
    """

    weight: float = 1.0

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        return sum_per_picture((pictures - frame.mean).square())


@dataclass(frozen=True)
class AlphaNorm(Penalty):
    """The sum of |x - mean|^alpha: hardly anything for moderate colours, much for extreme ones.

    References: Mahendran and Vedaldi, 2015, section 3.1, https://doi.org/10.1109/CVPR.2015.7299155 (alpha = 6)

    Example:
        >>> AlphaNorm(alpha=4)(torch.tensor([[[1.0, -2.0]]]), Frame((1, 2)), {})
        tensor([17.])
    """

    weight: float = 1.0
    alpha: float = 6.0

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        return sum_per_picture((pictures - frame.mean).abs().pow(self.alpha))


@dataclass(frozen=True)
class Ball:
    """Pictures of a given length: after each step, x - mean is scaled to it.

        x <- mean + radius (x - mean) / |x - mean|

    References: Erhan et al., 2009, Visualizing higher-layer features of a deep network (the sphere)

    Arguments:
        radius: The length, in the pictures' units; that of typical inputs, as `Ball.of(data, frame)` finds it.
        inside: Whether shorter pictures are left alone: the whole ball rather than the sphere.

    Example:
        >>> x = torch.tensor([[[3.0, 4.0]]])
        >>> Ball(radius=1.0).after(x, x, x, step=0, frame=Frame((1, 2)))
        tensor([[[0.6000, 0.8000]]])
    """

    radius: float
    inside: bool = False

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise MethodError(f"Ball(radius={self.radius})", "no length", "a picture has one", "Take Ball.of(data, frame).")

    @classmethod
    def of(cls, pictures: Tensor, frame: Frame) -> Ball:
        """With the mean length of these pictures, as the frame has them."""
        return cls(float(sum_per_picture((pictures.to(frame.mean) - frame.mean).square()).sqrt().mean()))

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        away = pictures - frame.mean
        length = sum_per_picture(away.square()).sqrt()
        gain = self.radius / torch.where(length > 0, length, 1.0)
        return frame.mean + away * per_picture(gain.clamp(max=1) if self.inside else gain, away)


@dataclass(frozen=True)
class Decay:
    """After each step, pictures shrink by a share towards the one the network calls zero.

    References: Yosinski et al., 2015, section 3 (L2 decay), https://doi.org/10.48550/arXiv.1506.06579

    Example:
        >>> x = torch.tensor([[[1.0, -4.0]]])
        >>> Decay(0.25).after(x, x, x, step=0, frame=Frame((1, 2)))
        tensor([[[ 0.7500, -3.0000]]])
    """

    share: float

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        return frame.mean + (1 - self.share) * (pictures - frame.mean)
