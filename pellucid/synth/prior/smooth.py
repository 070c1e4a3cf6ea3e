"""Smoothness: total variation and gradients as penalties, Gaussian blur as a projection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.core.blur import blurred
from ..frame import Frame
from ..protocols import Penalty
from .denoise import gradient
from .per_picture import Values, check_spatial, sum_per_picture

LEAST = 1e-8  # added to squared differences below: roots have no slope at 0


@dataclass(frozen=True)
class TotalVariation(Penalty):
    """How much neighbours differ: the sum over pixels of (sum of squared differences to the next pixel along each axis)^(beta/2).

        R(x) = sum over channels and places of (dx^2 + dy^2)^(beta / 2)

    Beyond the last row and column nothing differs, so that they count with the differences they have. beta = 1 is the classical
    total variation, which leaves edges sharp; beta = 2 spreads them.

    References: Mahendran and Vedaldi, 2015, Eq. 3, https://doi.org/10.1109/CVPR.2015.7299155

    Raises:
        MethodError: the input has no spatial axes.

    Example:
        >>> TotalVariation(beta=2.0)(torch.tensor([[[[0.0, 3.0], [4.0, 4.0]]]]), Frame((1, 2, 2)), {})  # 4^2 + 3^2, 1^2, 0^2, 0
        tensor([26.])
    """

    weight: float = 1.0
    beta: float = 2.0

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        check_spatial(pictures, "TotalVariation")
        square = sum((part.square() for part in gradient(pictures)), torch.zeros_like(pictures))
        return sum_per_picture(square if self.beta == 2 else (square + LEAST).pow(self.beta / 2))


@dataclass(frozen=True)
class Gradients(Penalty):
    """The lengths of the differences along each direction, of the whole picture: sum over d of |x - x moved by d|_2.

    The four directions are right, down, and both diagonals (all axes and all their diagonals in other dimensions).

    References: the code of Yin et al., 2020, Dreaming to distill, https://doi.org/10.1109/CVPR42600.2020.00874, which calls it
        total variation, and that of Ghiasi et al., 2022, What do vision transformers learn?

    Raises:
        MethodError: the input has no spatial axes.

    Example:
        >>> Gradients()(torch.tensor([[[0.0, 3.0, 7.0]]]), Frame((1, 3)), {})
        tensor([5.])
    """

    weight: float = 1.0

    def __call__(self, pictures: Tensor, frame: Frame, values: Values) -> Tensor:
        check_spatial(pictures, "Gradients")
        lengths = [(sum_per_picture(difference(pictures, way).square()) + LEAST).sqrt() for way in ways(pictures.dim() - 2)]
        return torch.stack(lengths).sum(0)


def ways(axes: int) -> list[tuple[int, ...]]:
    """The steps to neighbours, one of each opposite pair.

    Example:
        >>> ways(2)
        [(0, 1), (1, -1), (1, 0), (1, 1)]
    """
    every = [tuple(index // 3**k % 3 - 1 for k in reversed(range(axes))) for index in range(3**axes)]
    return [way for way in every if way > (0,) * axes]


def difference(pictures: Tensor, way: tuple[int, ...]) -> Tensor:
    """Each pixel less its neighbour that many pixels on, where there is one."""
    here = there = pictures
    for axis, step in enumerate(way, start=2):
        length = pictures.shape[axis] - abs(step)
        here, there = here.narrow(axis, max(0, -step), length), there.narrow(axis, max(0, step), length)
    return here - there


@dataclass(frozen=True)
class Blur:
    """Every so many steps, pictures are blurred by a Gaussian, each channel for itself; beyond the rim they are mirrored.

    References: Yosinski et al., 2015, section 3, https://doi.org/10.48550/arXiv.1506.06579, with SciPy's filter, as its code

    Arguments:
        sigma: The standard deviation, in pixels.
        every: How many steps lie between two blurs.

    Raises:
        MethodError: the input has no spatial axes.

    Example:
        >>> x = torch.tensor([[[0.0, 1.0, 0.0]]])
        >>> Blur(sigma=0.5).after(x, x, x, step=0, frame=Frame((1, 3))).round(decimals=2)
        tensor([[[0.1100, 0.7900, 0.1100]]])
    """

    sigma: float
    every: int = 1

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        check_spatial(pictures, "Blur")
        return blurred(pictures, self.sigma, "mirror") if step % self.every == 0 and self.sigma > 0 else pictures
