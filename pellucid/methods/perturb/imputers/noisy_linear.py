"""Noisy linear imputation (ROAD): every missing entry is a weighted mean of its neighbours, plus a little noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.core.random import normal
from pellucid.errors import InputError
from pellucid.model import Model
from ..regions.regions import Regions
from .draws import SampleFill, draw_generator
from .imputer import Fill, Imputer
from .windows import bounds, cut, paste

CONVOLUTION = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@dataclass(frozen=True)
class NoisyLinear(Imputer):
    """What is gone becomes as smooth as it can be: every missing pixel the weighted mean of its neighbours.

        x_p = sum_n w_n x_n,   with weights 1/6 up, down, left and right, and 1/12 on the diagonals

    It leaks less of the shape of the mask than a constant does. Neighbours outside of the picture have no weight, and the others
    the more. Where everything is gone, it is the mean of the channel. The equations are solved by conjugate gradients, for all
    masks of a batch at once. For signals and volumes the weights are those of the same binomial filter: 1/2 along a line, and
    4/56, 2/56, 1/56 in space. The columns of a table are no neighbours: there it is the mean of what is left.

    References: Rong et al., 2022, A consistent and efficient evaluation strategy for attribution methods (ROAD),
        https://doi.org/10.48550/arXiv.2202.00449

    Arguments:
        noise: Standard deviation of what is added, in units of the input; 0.01, as published.
        tolerance: Of the remaining error in the equations, relative to their right-hand side.
        seed: Of the noise.

    Example:
        >>> x, gone = torch.tensor([[[0.0, 9.0, 9.0, 3.0]]]), torch.tensor([[[False, True, True, False]]])
        >>> NoisyLinear(noise=0).prepare(x, None, None)(gone, [0]).round(decimals=3)
        tensor([[[0., 1., 2., 3.]]])
    """

    noise: float = 0.01
    tolerance: float = 1e-6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.noise < 0 or not 0 < self.tolerance < 1:
            raise InputError(
                "noisy linear filling", f"noise={self.noise}, tolerance={self.tolerance}",
                "noise is a width, from 0 on, and the tolerance a small share", "Leave them out: 0.01 and 1e-6.",
            )  # fmt: skip

    @property
    def random(self) -> bool:
        return self.noise > 0

    def prepare(self, x: Tensor, regions: Regions | None, model: Model | None) -> Fill:
        noise = SampleFill(tuple(x.shape[1:]), lambda draw: self.noise * normal(x.shape, draw_generator(self.seed, draw)).to(x))

        def fill(gone: Tensor, draws: Sequence[int]) -> Tensor:
            smooth = _mean_of_rest(x, gone) if x.dim() == 2 else smooth_fill(x, gone, self.tolerance)
            return smooth + noise(gone, draws) if self.random else smooth

        return fill


def smooth_fill(x: Tensor, gone: Tensor, tolerance: float) -> Tensor:
    """One sample with shape (1, channel, *places), what is gone replaced by the smooth solution, one for every mask.

    Arguments:
        gone: With shape (k, 1 or channel, *places).
    """
    if not gone.any():
        return x
    corners, size = _bounding_windows(gone)
    mean = x.mean(tuple(range(2, x.dim())), keepdim=True)
    known, hole = cut(x - mean, corners, size), cut(gone.expand(-1, -1, *x.shape[2:]), corners, size).to(x)
    weight = cut(_neighbours(torch.ones_like(x[:, :1])), corners, size)  # less than 1 at the border of the picture
    solution = _conjugate_gradients(
        lambda y: hole * (weight * y - _neighbours(hole * y)), hole * _neighbours(known * (1 - hole)), weight, tolerance
    )
    return paste(x, torch.lerp(known, solution, hole) + mean, corners)


def _bounding_windows(gone: Tensor) -> tuple[Tensor, list[int]]:
    """Rectangles of one size that hold all that is gone and its neighbours: first places, with shape (k, axes), and size."""
    sides = torch.tensor(gone.shape[2:], device=gone.device)
    first, last = bounds(gone.any(1))
    size = torch.minimum((last - first).amax(0) + 2, sides)
    return torch.minimum((first - 1).clamp(min=0), sides - size), size.tolist()


def _neighbours(y: Tensor) -> Tensor:
    """The weighted sum over the neighbours of every place, each channel by itself; nothing outside."""
    axes = y.dim() - 2
    kernel = torch.ones((), dtype=y.dtype, device=y.device)
    for _ in range(axes):
        kernel = kernel[..., None] * torch.tensor([1.0, 2.0, 1.0], dtype=y.dtype, device=y.device)
    kernel[(1,) * axes] = 0
    kernel /= kernel.sum()
    maps = y.shape[:2].numel()  # as groups of one sample: several times as fast as a sample each
    flat = CONVOLUTION[axes](y.reshape(1, maps, *y.shape[2:]), kernel.expand(maps, 1, *kernel.shape), padding=1, groups=maps)
    return flat.reshape(y.shape)


def _conjugate_gradients(apply: Callable[[Tensor], Tensor], right: Tensor, diagonal: Tensor, tolerance: float) -> Tensor:
    """Conjugate gradients, preconditioned by the diagonal. Every channel of every row is a system of its own, and rests once it
    is solved, so that it gets the same answer in any company.
    """
    axes = tuple(range(2, right.dim()))

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(axes, keepdim=True)

    solution, residual = torch.zeros_like(right), right
    preconditioned = residual / diagonal
    direction, size = preconditioned, dot(residual, preconditioned)
    enough = tolerance**2 * dot(right, right)
    for _ in range(right[0, 0].numel()):
        unsolved = dot(residual, residual) > enough
        if not unsolved.any():
            break
        image = apply(direction)
        step = torch.where(unsolved, size / dot(direction, image), 0)
        solution, residual = solution + step * direction, residual - step * image
        preconditioned = residual / diagonal
        size, previous = dot(residual, preconditioned), size
        direction = preconditioned + torch.where(unsolved, size / previous, 0) * direction
    return solution


def _mean_of_rest(x: Tensor, gone: Tensor) -> Tensor:
    """The mean of what is left of a row (1, columns); of all of it where nothing is left. With shape (k, 1)."""
    present = (~gone).to(x)
    count = present.sum(1, keepdim=True)
    return torch.where(count > 0, (present * x).sum(1, keepdim=True) / count.clamp(min=1), x.mean(1, keepdim=True))
