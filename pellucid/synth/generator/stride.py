"""Stride: a step rule for codes, with steps measured in standard deviations of each unit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..optimize.ascent import Ascent, Numbers


@dataclass(frozen=True, eq=False)
class Stride:
    """The steps of `ascent`, each unit's multiplied by how much it varies over data; then all codes by `decay`.

    Codes of one network may be a hundred times those of another, and so may those of two units. Steps in standard deviations suit
    all of them.

    Example:
        >>> import torch
        >>> from pellucid.synth.optimize.ascent import Normalised
        >>> stride = Stride(Normalised(0.1), torch.tensor([1.0, 10.0]))
        >>> stride.step((torch.zeros(1, 2),), (torch.ones(1, 2),), (), 0, 1)[0][0]
        tensor([[0.0182, 1.8182]])
    """

    ascent: Ascent
    spread: Tensor
    decay: float = 1.0

    def begin(self, numbers: Numbers) -> Numbers:
        return self.ascent.begin(numbers)

    def step(self, numbers: Numbers, slopes: Numbers, memory: Numbers, step: int, steps: int) -> tuple[Numbers, Numbers]:
        spread = self.spread.to(numbers[0])
        slopes = tuple(slope * spread for slope in slopes)  # of standardised codes
        moved, memory = self.ascent.step(numbers, slopes, memory, step, steps)
        return tuple(self.decay * (n + spread * (m - n)) for n, m in zip(numbers, moved, strict=True)), memory
