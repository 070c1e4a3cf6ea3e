"""Class models: the picture with the highest score of a class, with an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..canvas import Pixel
from ..maximized import PlannedRecipe
from ..optimize.step_rules import Normalised
from ..optimize.task import Plan, Task
from ..prior import L2
from ..robust import Robust


@dataclass(frozen=True)
class Simonyan2013(PlannedRecipe):
    """The picture with the highest score of a class, with an L2 penalty: argmax S(x) - lambda |x|^2.

    S is the score before the softmax, whose own probability would also rise by what speaks against other classes. It starts from
    what the network calls zero, the mean picture, and x is measured from there.

    References: Simonyan, Vedaldi and Zisserman, 2013, Deep inside convolutional networks, section 2,
        https://doi.org/10.48550/arXiv.1312.6034. The paper tells neither lambda nor the rate, nor whether steps have the momentum
        of the training that it likens them to. Departures: steps along the slope have a given mean size that falls to 0, so that
        they suit networks of any scale; pictures keep their bounds; and large ones are shifted at random before each step, as
        became usual later: `published()` is without that, and without momentum.
        Why: on EfficientNet-Lite0 what the paper leaves open decides little. Of its own variants (lambda from 0.01 to 1, rates
        from 0.01 to 0.1 that fall or not, 30 to 200 steps, with and without momentum) all that made the class certain made noise
        with faint outlines, which a second network, EfficientNet-Lite1, put in places 53 to 821 (tabby, school bus). Shifts take
        out the noise that fits one place of the grid only, and momentum with small steps averages over many of them: the ranks of
        tabby, espresso, goldfish, volcano and school bus went from 445, 65, 4, 14 and 84 to 3, 88, 1, 1 and 1.

    Arguments:
        l2: lambda, with pictures in [0, 1].
        rate: The mean change of an entry in the first step, before momentum.
        steps: How many.
        momentum: The share of the last step that is added to each.
        jitter: The largest shift, as a share of the sides; what leaves on one side comes back on the other.
        least: The shortest side of pictures that are shifted, in pixels: in smaller ones one pixel is a lot.
    """

    l2: float = 0.06
    rate: float = 0.005
    steps: int = 320
    momentum: float = 0.9
    jitter: float = 16 / 224
    least: int = 64
    name: ClassVar[str] = "simonyan2013"

    @staticmethod
    def published() -> Simonyan2013:
        """As in the paper, its rate and lambda chosen for pictures in [0, 1]."""
        return Simonyan2013(l2=0.01, rate=0.02, steps=200, momentum=0.0, jitter=0.0)

    def plan(self, task: Task) -> Plan:
        ascent = Normalised(self.rate, by="mean", momentum=self.momentum, schedule="cosine")
        moved = self.jitter > 0 and len(task.frame.spatial) > 0 and min(task.frame.spatial) >= self.least
        robust = Robust(jitter=self.jitter, edge="wrap") if moved else None
        return Plan(canvas=Pixel(), ascent=ascent, priors=(L2(self.l2),), steps=self.steps, robust=robust)
