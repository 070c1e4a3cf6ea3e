"""Power spectra of pictures, averaged over rings of equal frequency."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 24  # rings from the lowest frequency to the highest along an axis
FAINT = 1e-10  # added to powers: below a thousandth of a grey level out of 256


def spectra(pictures: Tensor) -> Tensor:
    """By picture: log10 of the mean power in rings of equal width from 0 to 1/2 cycles per pixel, of the mean over channels.

    The shape is (n, 24), or (n, 0) for rows of a table, which have no frequencies. Rings that no frequency of a small picture
    falls into take the power of the ring before them. The constant part is left out.

    Example:
        >>> x = torch.zeros(2, 1, 64)
        >>> x[1, 0] = torch.cos(torch.arange(64) * torch.pi / 2)
        >>> loud = spectra(x)[1].exp() > 1
        >>> loud.nonzero().flatten().tolist()  # a quarter of a cycle per pixel is in the middle
        [12]
    """
    if pictures.dim() < 3 or min(pictures.shape[2:]) < 4:
        return torch.zeros(len(pictures), 0)
    grey = pictures.float().mean(1)
    axes = tuple(range(1, grey.dim()))
    power = torch.fft.fftn(grey, dim=axes, norm="ortho").abs().square().flatten(1).cpu()
    radius = torch.zeros(grey.shape[1:])
    for axis, side in enumerate(grey.shape[1:]):
        shape = [1] * (grey.dim() - 1)
        shape[axis] = side
        radius = radius + torch.fft.fftfreq(side).square().reshape(shape)
    radius = radius.sqrt().flatten()
    ring = (radius * 2 * BINS).long()
    kept = (ring < BINS) & (radius > 0)
    sums = torch.zeros(len(grey), BINS).index_add_(1, ring[kept], power[:, kept])
    counts = torch.zeros(BINS).index_add_(0, ring[kept], torch.ones(int(kept.sum())))
    means = sums / counts.clamp(min=1)
    filled = torch.where(counts > 0, torch.arange(BINS), -1).cummax(0).values
    first = int((counts > 0).nonzero()[0])
    return (means[:, filled.clamp(min=first)] + FAINT).log10()
