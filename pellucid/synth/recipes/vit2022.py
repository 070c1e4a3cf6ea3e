"""Features of vision transformers: a pixel canvas, random colours, and noise that decreases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..canvas import Pixel
from ..maximized import PlannedRecipe
from ..optimize.step_rules import Adam
from ..optimize.task import Plan, Task
from ..prior import Gradients
from ..robust import Robust


@dataclass(frozen=True)
class Vit2022(PlannedRecipe):
    """The picture that scores highest in several views at once, each moved, recoloured at random, and under noise that fades.

    Made for the features of vision transformers: the target to take is a unit behind the first layer of a block's MLP and its
    activation, over all patches, `pl.channel("blocks.6.mlp.act", 17, tokens="patch")`; queries, keys and values look worse.

    References: Ghiasi et al., 2022, What do vision transformers learn? A visual exploration,
        https://doi.org/10.48550/arXiv.2212.06727, with the settings of its code: 8 views, colours (x - m) / s with m ~ U(-1, 1)
        and log s ~ U(-1, 1), jitter of 32 in 224 pixels, noise from 0.5 to 0 (in the code one number per view and channel, as
        here), differences to four neighbours 0.0005, Adam with 0.1, betas 0.5 and 0.99, cosine, 400 steps, kept in [0, 1].
        Departure: it begins with normal noise about grey, cut off at the bounds, rather than with uniform noise.
        A shift should be small beside a patch: on digits of 8 x 8 pixels in patches of 2 x 2, jitter of one pixel left seven of
        eight units below some real digits; with `jitter=0` all eight stand above every one of 597.

    Arguments:
        rate, steps: Of Adam.
        views: How many are scored in each step.
        shift: Both limits of the colours.
        noise: At the first step.
        differences: The weight of differences to neighbours.
        jitter: The largest shift, as a share of the sides.
    """

    rate: float = 0.1
    steps: int = 400
    views: int = 8
    shift: tuple[float, float] = (1.0, 1.0)
    noise: float = 0.5
    differences: float = 0.0005
    jitter: float = 32 / 224
    name: ClassVar[str] = "vit2022"

    def plan(self, task: Task) -> Plan:
        bounded, steps = task.frame.bounded, task.steps or self.steps
        robust = Robust(
            self.views, jitter=self.jitter, colour=self.shift, tint=(self.noise, 0.0), over=max(1, steps), edge="wrap"
        )  # fmt: skip
        ascent = Adam(self.rate, momentum=0.5, decay=0.99, schedule="cosine")
        priors = (Gradients(self.differences),) if task.frame.spatial else ()
        return Plan(Pixel(level=0.5 if bounded else 0.0, noise=0.29 if bounded else 1.0), ascent, self.steps, priors, robust)
