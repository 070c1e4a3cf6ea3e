"""Denoise: total-variation denoising as a projection, which smooths flat areas and keeps edges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..frame import Frame
from .per_picture import check_spatial

UNITS = 255  # weights are published for pictures whose values run from 0 to 255


@dataclass(frozen=True)
class Denoise:
    """After each step the picture becomes argmin_u sum |grad u| + weight / 2 |u - x|^2, each channel for itself, u in 0..255.

    A small weight denoises strongly. It changes linearly from `weight` to `end`.

    References: Nguyen et al., 2016, Multifaceted feature visualization, https://doi.org/10.48550/arXiv.1602.03616, after Rudin,
        Osher and Fatemi, 1992, https://doi.org/10.1016/0167-2789(92)90242-F. Departures: they solve it by split Bregman; we by
        the fast gradient projection of Beck and Teboulle, 2009, https://doi.org/10.1109/TIP.2009.2028250, which runs for
        all pictures at once. Their code lets the weight run to about start + end, by a misplaced bracket.

    Arguments:
        weight, end: At the first step and after `over` steps.
        rounds: Of the solver.

    Raises:
        MethodError: the input has no spatial axes.

    Example:
        >>> x = torch.tensor([[[0.0, 0.02, 1.0, 0.98]]])
        >>> Denoise(0.2).after(x, x, x, step=0, frame=Frame((1, 4))).round(decimals=2)
        tensor([[[0.0200, 0.0200, 0.9800, 0.9800]]])
    """

    weight: float
    end: float | None = None
    over: int = 1
    rounds: int = 30

    def after(self, pictures: Tensor, before: Tensor, slope: Tensor, step: int, frame: Frame) -> Tensor:
        check_spatial(pictures, "Denoise")
        end = self.weight if self.end is None else self.end
        weight = self.weight + (end - self.weight) * min(1.0, step / self.over)
        return denoise(pictures, 1 / (UNITS * weight), self.rounds)


def denoise(x: Tensor, strength: float, rounds: int = 30) -> Tensor:
    """argmin_u 1/2 |u - x|^2 + strength * TV(u), by accelerated projected gradients in its dual."""
    axes = x.dim() - 2
    dual = ahead = x.new_zeros(axes, *x.shape)
    t = 1.0
    for _ in range(rounds):
        slope = gradient(x + strength * divergence(ahead)) / (4 * axes * strength)
        last, dual = dual, ahead + slope
        dual = dual / dual.square().sum(0).sqrt().clamp(min=1)
        later = (1 + math.sqrt(1 + 4 * t * t)) / 2
        ahead, t = dual + (t - 1) / later * (dual - last), later
    return x + strength * divergence(dual)


def gradient(x: Tensor) -> Tensor:
    """Differences to the next place along each axis, 0 at the last: (axes, *x.shape)."""
    return torch.stack([x.diff(dim=axis, append=x.narrow(axis, x.shape[axis] - 1, 1)) for axis in range(2, x.dim())])


def divergence(field: Tensor) -> Tensor:
    """The negative adjoint of the gradient: sum of div_i, where <gradient(x), p> = -<x, divergence(p)>."""
    total = torch.zeros_like(field[0])
    for axis, part in enumerate(field, start=2):
        length = part.shape[axis]
        inner = part.narrow(axis, 0, length - 1)
        total.narrow(axis, 0, length - 1).add_(inner)
        total.narrow(axis, 1, length - 1).sub_(inner)
    return total
