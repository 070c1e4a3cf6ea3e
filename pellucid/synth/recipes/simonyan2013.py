"""Class models: the picture that a class scores highest, short of being long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..ascent import Normalised
from ..canvas import Pixel
from ..prior import L2
from ..task import Plan, Task
from .planned import Planned


@dataclass(frozen=True)
class Simonyan2013(Planned):
    """The picture with the highest score of a class, less what its length costs: argmax S(x) - lambda |x|^2.

    S is the score before the softmax, whose own probability would also rise by what speaks against other classes. It starts from
    what the network calls zero, the mean picture, and x is measured from there.

    References: Simonyan, Vedaldi and Zisserman, 2013, Deep inside convolutional networks, section 2,
        https://doi.org/10.48550/arXiv.1312.6034. The paper tells neither lambda nor the rate. Departures: steps along the slope
        have a given mean size that falls to 0, so that they suit networks of any scale; and pictures keep their bounds.

    Arguments:
        l2: lambda, with pictures in [0, 1].
        rate: The mean change of an entry in the first step.
        steps: How many.
    """

    l2: float = 0.01
    rate: float = 0.02
    steps: int = 200
    name: ClassVar[str] = "simonyan2013"

    def plan(self, task: Task) -> Plan:
        ascent = Normalised(self.rate, by="mean", schedule="linear")
        return Plan(canvas=Pixel(), ascent=ascent, priors=(L2(self.l2),), steps=self.steps)
