"""Four regularisers (decay, blur, clipping by norm and by contribution), and four published mixtures of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..canvas import Pixel
from ..maximized import PlannedRecipe
from ..optimize.step_rules import Ascent, Progress, Steepest
from ..optimize.task import Plan, Task, refuse
from ..prior import Blur, Decay, SmallContribution, SmallNorm
from ..protocols import Projection
from ..robust import Robust

SCALE = 255.0  # the paper's pictures run from 0 to 255 and ours from 0 to 1: a rate in its units is 255^2 times one in ours


@dataclass(frozen=True)
class Mixture:
    """One row of the paper's table 1, with the steps of its code.

    Arguments:
        decay: The share of the way to the mean picture that pictures go back after each step.
        sigma, every: Of the blur, in pixels, and how many steps lie between two.
        norm, contribution: How many percent of the pixels are emptied: those with the smallest norm, those that matter least.
        steps: How many.
        rate: Of the slope, pictures in 0..255; `desired`: by how much the score should rise in a step, if that takes no larger
            rate; None: the rate knows nothing of it.
    """

    decay: float
    sigma: float
    every: int
    norm: float
    contribution: float
    steps: int
    rate: float
    desired: float | None = None

    def projections(self) -> tuple[Projection, ...]:
        """In the order of the code."""
        priors: list[Projection] = [Decay(self.decay)] if self.decay else []
        priors += [Blur(self.sigma, self.every)] if self.every else []
        priors += [SmallNorm(self.norm)] if self.norm else []
        return tuple(priors + ([SmallContribution(self.contribution)] if self.contribution else []))

    def ascent(self, gain: float) -> Ascent:
        """As in the code."""
        rate = gain * self.rate / SCALE**2
        return Steepest(rate) if self.desired is None else Progress(self.desired, rate)


@dataclass(frozen=True)
class Suited:
    """How the steps of a mixture are made so that they suit networks of any scale.

    Arguments:
        change: The mean change of an entry in the first step, of 255; infinite where only `desired` counts.
        desired: As of `Mixture`.
        falls: Whether the rate falls to 0. Under a strong decay it must not: of the picture nothing would be left.
        kept: Of the running mean of slopes that steps follow; 0: they follow the slope where the picture is.
        jitter: The largest shift before each step, as a share of the sides; what leaves on one side comes back on the other.
    """

    change: float
    desired: float | None = None
    falls: bool = True
    kept: float = 0.0
    jitter: float = 0.0

    def ascent(self, gain: float) -> Ascent:
        rate = gain * self.change / SCALE
        if self.desired is not None:
            return Progress(self.desired, rate, relative=True)
        return Steepest(rate, relative=True, schedule="linear" if self.falls else "constant", kept=self.kept)


SETS = {
    1: Mixture(0, 0.5, 4, 50, 0, 500, 100, 2.0),
    2: Mixture(0.3, 0, 0, 20, 0, 750, 100),
    3: Mixture(1e-4, 1.0, 4, 0, 0, 1000, 100),
    4: Mixture(0, 0.5, 4, 0, 90, 1000, 1e8, 2.0),
}
STEPS = {1: Suited(1), 2: Suited(8, falls=False, kept=0.98, jitter=16 / 224), 3: Suited(1), 4: Suited(math.inf, 10.0)}
LEAST = 64  # the shortest side of pictures that are shifted, in pixels: in smaller ones one pixel is a lot


@dataclass(frozen=True)
class Yosinski2015(PlannedRecipe):
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
        https://doi.org/10.48550/arXiv.1506.06579; steps and rates from its code. `published(set)` steps as that does.
        Departures: its rates are for the slopes of its network, and move next to nothing in many others. Ours are such that the
        first step changes an entry by `Suited.change` of 255 on average, also in set 1, and fall to 0 but in set 2: at the end of
        constant ones the score still jumped between 5 and 26 from step to step, for tabby on EfficientNet-Lite0. Set 4 wants the
        score to rise by 10 a step, not by 2. Its code leaves the last step unprojected, so that its score is that of the picture;
        ours are scored as they are in any case.
        Set 2 takes back 30 % of a picture in every step, so that what is left is the sum of its last three steps or so, and on
        EfficientNet-Lite0 these do not agree: with changes of 0.3, 1, 3, 8, 24 and 64 of 255 the score stayed between -0.3 and
        4.1, and the class was never the first. Where they came to rest, the picture would be 7/3 rate g: the one with the highest
        S(x) - 3/14 |x|^2 / rate, as in `Simonyan2013`, but reached by steps nearly half as long as the picture. So ours follow
        the mean of the last fifty slopes or so, which moves slowly and rests at the same place; decay, clipping and the constant
        rate stay as published. tabby, espresso, goldfish, volcano and school bus then reach .997 and more, with pictures that
        EfficientNet-Lite1 ranks 1st, 4th, 1st, 1st and 2nd. Without shifts before each step, which `Simonyan2013` has as well,
        they were as certain after 100 steps, and ranked 170th, 83rd, 15th, 1st and 221st.
        Set 3 reaches .99 and more for all five, ranked 2nd, 2nd, 1st, 1st and 7th. Sets 1 and 4 reach 0.9 for the school bus, in
        pictures of less contrast.

    Arguments:
        set: Which row of the table.
        gain: By how much the rates are multiplied.
        literal: Whether steps are made as in the paper's code.
    """

    set: int = 3
    gain: float = 1.0
    literal: bool = False
    name: ClassVar[str] = "yosinski2015"

    @staticmethod
    def published(set: int = 3) -> Yosinski2015:
        """As in the paper's code, with its rates, which suit networks whose slopes are like those of its own."""
        return Yosinski2015(set, literal=True)

    def plan(self, task: Task) -> Plan:
        mixture = SETS.get(self.set)
        if mixture is None:
            raise refuse(self.name, f"set {self.set}", "the paper has four", f"Choose one of {', '.join(map(str, SETS))}.")
        canvas, suited = Pixel(noise=10 / SCALE), STEPS[self.set]
        if self.literal:
            return Plan(canvas, mixture.ascent(self.gain), mixture.steps, mixture.projections())
        moved = suited.jitter > 0 and len(task.frame.spatial) > 0 and min(task.frame.spatial) >= LEAST
        robust = Robust(jitter=suited.jitter, edge="wrap") if moved else None
        return Plan(canvas, suited.ascent(self.gain), mixture.steps, mixture.projections(), robust)
