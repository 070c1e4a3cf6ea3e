"""Pixel flipping: the score while pixels are removed, the most relevant first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pellucid.methods.perturb.regions.division import Entries
from ..metric import Compat, check_compat
from .experiment import Reading, Scheme
from .reduction import Reduction, Removed
from .steps import Log

PIXELS = Scheme(Entries(), 0.0, Log(33), weigh="sum")


@dataclass(frozen=True)
class PixelFlipping(Reduction):
    """The mean height of the curve of the target while pixels are removed, the most relevant first. Lower is better.

    A pixel is removed with all its channels. The paper takes one at a time, 50,176 forward passes for a photograph of 224 x 224;
    here the curve is measured at up to 33 numbers of pixels, log-spaced, with trapezoids between them:
    `Scheme(Entries(), 0.0, Every(1))` is the paper's. Pixels become 0, the mean colour for most preprocessings; the paper flips
    the sign of binary ones.

    References: On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation
        (Bach et al., 2015), https://doi.org/10.1371/journal.pone.0130140

    Arguments:
        compat: "quantus-0.6": another quantity, after Quantus 0.6.0: the sum of trapezoids of width 1 per step, not divided by
            their number, under a curve that begins after the first step. Its pixels are single values, one per channel:
            `Scheme(Values(), 0.0, Every(8))`.
    """

    name: ClassVar[str] = "pixel_flipping"
    higher: ClassVar[bool] = False

    scheme: Scheme = PIXELS
    reading: Reading = "target"
    compat: Compat | None = None

    def __post_init__(self) -> None:
        check_compat(self.name, self.compat)

    def reduce(self, found: Removed) -> float:
        if self.compat is not None:
            return float(torch.trapezoid(found.falling.read(self.reading)[1:]))
        return found.falling.area(self.reading)
