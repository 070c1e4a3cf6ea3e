"""Four ways to keep a picture simple while it climbs, and four published mixtures of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..ascent import Ascent, Progress, Steepest
from ..canvas import Pixel
from ..parts import Projection
from ..prior import Blur, Decay, SmallContribution, SmallNorm
from ..task import Plan, Task, refuse
from .planned import Planned

SCALE = 255.0  # the paper's pictures run from 0 to 255 and ours from 0 to 1: a rate in its units is 255^2 times one in ours


@dataclass(frozen=True)
class Mixture:
    """One row of the paper's table 1, with the steps of its code.

    Arguments:
        decay: The share of the way to the mean picture that pictures go back after each step.
        sigma, every: Of the blur, in pixels, and how many steps lie between two.
        norm, contribution: How many percent of the pixels are emptied: those with the smallest norm, those that matter least.
        steps: How many.
        change: The mean change of an entry in the first step, of 255; infinite where only `desired` counts.
        desired: By how much the score should rise in a step, if that takes no larger rate; None: the rate knows nothing of it.
        falls: Whether the rate falls to 0. Under a strong decay it must not: of the picture nothing would be left.
    """

    decay: float
    sigma: float
    every: int
    norm: float
    contribution: float
    steps: int
    change: float
    desired: float | None = None
    falls: bool = True

    def projections(self) -> tuple[Projection, ...]:
        """In the order of the code."""
        found: list[Projection] = [Decay(self.decay)] if self.decay else []
        found += [Blur(self.sigma, self.every)] if self.every else []
        found += [SmallNorm(self.norm)] if self.norm else []
        return tuple(found + ([SmallContribution(self.contribution)] if self.contribution else []))

    def ascent(self, gain: float) -> Ascent:
        rate = gain * self.change / SCALE
        if self.desired is not None:
            return Progress(self.desired, rate, relative=True)
        return Steepest(rate, relative=True, schedule="linear" if self.falls else "constant")


SETS = {
    1: Mixture(0, 0.5, 4, 50, 0, 500, 1),
    2: Mixture(0.3, 0, 0, 20, 0, 750, 8, falls=False),
    3: Mixture(1e-4, 1.0, 4, 0, 0, 1000, 1),
    4: Mixture(0, 0.5, 4, 0, 90, 1000, math.inf, 10.0),
}


@dataclass(frozen=True)
class Yosinski2015(Planned):
    """The picture with the highest score that stays simple: after each step it is decayed, blurred, and emptied where it matters
    little.

        x <- r(x + rate g),   r: decay, Gaussian blur every few steps, clipping of pixels with small norm or small contribution

    | set | decay | blur, pixels | every | small norm | small contribution | steps | rate, pictures in 0..255 |
    |---|---|---|---|---|---|---|---|
    | 1 | 0 | 0.5 | 4 | 50 % | 0 | 500 | raises the score by 2 a step, at most 100 |
    | 2 | 0.3 | 0 | | 20 % | 0 | 750 | 100 |
    | 3, most figures | 0.0001 | 1.0 | 4 | 0 | 0 | 1000 | 100 |
    | 4 | 0 | 0.5 | 4 | 0 | 90 % | 1000 | raises the score by 2 a step |

    It begins with the mean picture and noise of 10 in 255. The first picture for which the unit led its layer is kept as the
    snapshot "majority", the one with the highest score as "best".

    References: Yosinski et al., 2015, Understanding neural networks through deep visualization, section 3 and table 1,
        https://doi.org/10.48550/arXiv.1506.06579; steps and rates from its code. Departures: its rates are for the slopes
        of its network, and move next to nothing in many others. Ours are such that the first step changes an entry by
        `Mixture.change` of 255 on average, also in set 1, and fall to 0 but in set 2: at the end of constant ones the score still
        jumped between 5 and 26 from step to step, for tabby on EfficientNet-Lite0. Set 4 wants the score to rise by 10 a step,
        not by 2. Its code leaves the last step unprojected, so that its score is that of the picture; ours are scored as they
        are in any case.
        Measured on EfficientNet-Lite0, for the class school bus: sets 1, 3 and 4 reach a probability of 0.9, of which only set 3
        gives pictures of some contrast. Set 2, which takes back 30 % of a picture in every step, does not get there: what is left
        of a picture is its last three steps or so, and they do not agree. With changes of 0.3, 1, 3, 8, 24 and 64 of 255 the
        score stayed between -0.3 and 4.1, and the class was never the first.

    Arguments:
        set: Which row of the table.
        gain: By how much the rates are multiplied.
    """

    set: int = 3
    gain: float = 1.0
    name: ClassVar[str] = "yosinski2015"

    def plan(self, task: Task) -> Plan:
        mixture = SETS.get(self.set)
        if mixture is None:
            raise refuse(self.name, f"set {self.set}", "the paper has four", f"Choose one of {', '.join(map(str, SETS))}.")
        return Plan(Pixel(noise=10 / SCALE), mixture.ascent(self.gain), mixture.steps, mixture.projections())
