"""Codes: the statistics of a layer's values over real data, in mean, standard deviation and bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

FEW = 0.05  # of the mean standard deviation: added to that of every unit
BANK, ENTRIES = 256, 2**22  # single codes that are kept, and how many entries they have together, at most


@dataclass(frozen=True, eq=False)
class Codes:
    """The statistics of codes, over data and, for maps, over places: tensors that broadcast over `shape`.

    Arguments:
        shape: Of one code: (features,), (channel, height, width).
        mean, sd: Over the data.
        low, high: The bounds that codes are kept within.
        bank: Some codes of data, (n, *shape); None for generators that were not fitted here.
    """

    shape: tuple[int, ...]
    mean: Tensor
    sd: Tensor
    low: Tensor
    high: Tensor
    bank: Tensor | None = None

    @property
    def spread(self) -> Tensor:
        """The standard deviation and a little more, so that it can be divided by also for units that never vary."""
        floor = FEW * self.sd.mean()
        return self.sd + torch.where(floor > 0, floor, torch.ones_like(floor))

    def to(self, device: torch.device) -> Codes:
        """The same on another device."""
        mean, sd, low, high = (t.to(device) for t in (self.mean, self.sd, self.low, self.high))
        return Codes(self.shape, mean, sd, low, high, None if self.bank is None else self.bank.to(device))


def measure_codes(batches: Iterable[Tensor], reach: float = 3.0) -> Codes:
    """The statistics of codes that come in batches. Codes are bounded by mean + 3 sd, and by 0 below where none is negative.

    References: Nguyen et al., 2016, Synthesizing the preferred inputs for neurons in neural networks via deep generator networks,
        https://doi.org/10.48550/arXiv.1605.09304. Departures: they bound by 0 below, for rectified codes; other codes have
        mean - 3 sd. Maps have one mean and sd per channel.

    Example:
        >>> codes = measure_codes([torch.tensor([[0.0, 4.0], [1.0, 4.0], [2.0, 4.0]])])
        >>> codes.mean, codes.high
        (tensor([1., 4.]), tensor([4., 4.]))
    """
    bank: list[Tensor] = []
    n, mean, square, least = 0, torch.zeros(()), torch.zeros(()), torch.inf
    shape: tuple[int, ...] = ()
    for codes in batches:
        shape, least = tuple(codes.shape[1:]), min(least, float(codes.min()))
        room = min(BANK, ENTRIES // max(1, codes[0].numel())) - sum(map(len, bank))
        bank += [codes[:room].detach().float().cpu()] if room > 0 else []
        flat = codes.detach().double().cpu().flatten(2).transpose(1, 2).flatten(0, 1) if codes.dim() > 2 else codes.double().cpu()
        gap = flat.mean(0) - mean  # Chan's rule: means and squares of parts, joined without large sums
        square = square + (flat - flat.mean(0)).square().sum(0) + gap.square() * n * len(flat) / (n + len(flat))
        n, mean = n + len(flat), mean + gap * len(flat) / (n + len(flat))
    sd = (square / max(1, n - 1)).sqrt()
    tall = (-1, *[1] * (len(shape) - 1))
    mean, sd = mean.float().reshape(tall), sd.float().reshape(tall)
    low = torch.zeros_like(mean) if least >= 0 else mean - reach * sd
    return Codes(shape, mean, sd, low, mean + reach * sd, torch.cat(bank) if bank else None)
