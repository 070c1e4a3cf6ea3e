"""Selectivity: how fast the score falls while patches are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .experiment import Reading, Scheme
from .reduction import Reduction, Removed
from .steps import Log
from .tiles import Tiles

PATCHES = Scheme(Tiles(4), 0.0, Log(33), weigh="sum")


@dataclass(frozen=True)
class Selectivity(Reduction):
    """How high the target stays while patches of 4 x 4 pixels become 0, the most relevant first: mean height. Lower is better.

    Measured at up to 33 numbers of patches, log-spaced, where the paper takes every one.

    References: Methods for interpreting and understanding deep neural networks (Montavon et al., 2018),
        https://doi.org/10.1016/j.dsp.2017.10.011
    """

    name: ClassVar[str] = "selectivity"
    higher: ClassVar[bool] = False

    scheme: Scheme = PATCHES
    reading: Reading = "target"

    def reduce(self, found: Removed) -> float:
        return found.falling.area(self.reading)
