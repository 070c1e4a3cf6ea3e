"""Another number of samples per second, by a windowed sinc in phases."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

CROSSINGS = 32  # of zero on each side of the filter
PASSED = 0.95  # the share of the narrower band that passes unchanged
BETA = 10.0  # of the Kaiser window: what would fold back is 100 dB lower
MOST_PHASES = 2000


def resampled(x: Tensor, rate: float, new: float) -> Tensor:
    """The same sound with `new` samples per second: y(n / new) = sum_m x(m) h(n / new - m / rate).

    h is a sinc under a Kaiser window, with its corner below half the lower of both rates, so that nothing folds back.

    Arguments:
        x: With shape (..., time).

    Returns:
        With shape (..., ceil(time * new / rate)).

    Example:
        >>> time = torch.arange(4410, dtype=torch.float64) / 44100
        >>> tone = torch.sin(2 * torch.pi * 440 * time)
        >>> found = resampled(tone, 44100, 16000)
        >>> expected = torch.sin(2 * torch.pi * 440 * torch.arange(1600) / 16000)
        >>> len(found), bool((found - expected)[200:-200].abs().max() < 1e-4)
        (1600, True)
    """
    ratio = Fraction(new / rate).limit_denominator(MOST_PHASES)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return x
    corner = PASSED * min(1.0, up / down)
    reach = math.ceil(CROSSINGS / corner)
    places = torch.arange(-reach, reach + down, dtype=torch.float64)
    away = torch.arange(up, dtype=torch.float64)[:, None] * down / up - places  # of each sample from each new one, in samples
    window = torch.special.i0(BETA * (1 - (away / reach) ** 2).clamp(min=0).sqrt()) / torch.special.i0(torch.tensor(BETA))
    filters = corner * torch.sinc(corner * away) * window * (away.abs() <= reach)
    length = math.ceil(x.shape[-1] * up / down)
    wide = pad(x.double().reshape(-1, 1, x.shape[-1]), (reach, reach + down))
    phases = conv1d(wide, filters[:, None], stride=down)
    return phases.transpose(1, 2).reshape(*x.shape[:-1], -1)[..., :length].to(x.dtype)
