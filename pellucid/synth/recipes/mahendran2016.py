"""Natural pre-images: bounded and smooth pictures with a high score, or with the features of a given picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from pellucid.target import Target
from ..canvas import Pixel
from ..maximized import Maximized, PlannedRecipe, maximized
from ..optimize.feature_matching import Distance, input_gradients, layers, reference_activations, references
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.result import OptimizationResult, per_image
from ..optimize.step_rules import Normalised
from ..optimize.task import Plan, Task, refuse
from ..prior import AlphaNorm, TotalVariation
from ..protocols import Penalty
from ..random import generators, normal
from ..robust import Robust

SCALE = 255.0  # the paper's pictures run from 0 to 255 and ours from 0 to 1
TYPICAL = 0.25  # the standard deviation of pixels of photographs, in [0, 1]
FAINT = 0.1  # of that, the noise that a maximization starts from: there is less to be smoothed away
MODES = ("maximize", "invert")


@dataclass(frozen=True)
class Mahendran2016(PlannedRecipe):
    """The picture that scores highest, or whose features are those of a given one, short of being extreme or rough.

        maximize: S(x) / Z - R(x),   invert: -|F(x) - F(x0)|^2 / |F(x0)|^2 - R(x)
        R(x) = (lambda_alpha / 2 sum |x|^alpha + lambda_tv / 2 sum (dx^2 + dy^2)^(beta / 2)) / sigma^2

    with x from what the network calls zero, and sigma the length of a typical picture. An inversion begins with noise of that
    length, a maximization with a tenth of it, and jitter. "invert" shows what a layer keeps of a picture: `start=`, or one of
    `data=`, the one whose number is the seed; F is the layer that the target reads, or `at`. Its result is scored by the target
    itself; its trace is the distance, negative.

    References: Mahendran and Vedaldi, 2016, Visualizing deep convolutional neural networks using natural pre-images,
        https://doi.org/10.1007/s11263-016-0911-8 (maximization, bounds, jitter), and 2015, Understanding deep image
        representations by inverting them, https://doi.org/10.1109/CVPR.2015.7299155 (inversion): alpha = 6, beta = 2,
        lambda_alpha = 8e-10 with pictures from 0 to 255, lambda_tv = 1, 10 and 100 in the first, middle and last third of its
        network; steps of SGD with momentum 0.9 and rates that fall in jumps. Departures: steps have a given mean size that falls
        smoothly, so that they suit networks of any scale; Z, which the papers set by layer, is measured: what a step of length
        sigma along the gradient would add at the start, were the score linear, so that each picture is optimised
        by itself; jitter is 1/28 of the sides where theirs grows with a layer's stride.

    Arguments:
        mode: "maximize" or "invert".
        at: The layer to invert; None: the one that the target reads.
        alpha, beta, smoothness, extremeness: Of R: smoothness is lambda_tv, extremeness lambda_alpha.
        typical: Z; None: measured.
        rate: The mean change of an entry in the first step, in [0, 1].
        steps: How many.
        jitter: The largest shift, as a share of the sides.

    Raises:
        MethodError: another word for the mode.
        InputError: there is no picture to invert.
    """

    mode: str = "maximize"
    at: str | None = None
    alpha: float = 6.0
    beta: float = 2.0
    smoothness: float = 10.0
    extremeness: float = 8e-10
    typical: float | None = None
    rate: float = 0.005
    steps: int = 300
    jitter: float = 1 / 28
    name: ClassVar[str] = "mahendran2016"

    def plan(self, task: Task) -> Plan:
        if self.mode not in MODES:
            raise refuse(self.name, f"mode {self.mode!r}", "it maximizes or inverts", f"Choose one of {', '.join(MODES)}.")
        unit, spread = (SCALE, TYPICAL) if task.frame.bounded else (1.0, 1.0)
        square = spread**2 * math.prod(task.frame.shape)
        gain = self.typical or 1.0  # penalties times Z in place of the score by Z: the trace then is the score
        extreme = gain * self.extremeness / 2 * unit ** (self.alpha - 2) / square
        smooth = gain * self.smoothness / 2 * unit ** (self.beta - 2) / square
        priors: tuple[Penalty, ...] = (AlphaNorm(extreme, self.alpha),)
        priors += (TotalVariation(smooth, self.beta),) if task.frame.spatial else ()
        ascent = Normalised(self.rate, by="mean", momentum=0.9, schedule="cosine")
        moves = task.frame.spatial and self.mode == "maximize"
        noise = spread if self.mode == "invert" else FAINT * spread
        return Plan(Pixel(noise=noise), ascent, self.steps, priors, Robust(jitter=self.jitter, edge="border") if moves else None)

    def maximize(self, task: Task) -> Maximized:
        plan = self.plan(task)
        if self.mode == "maximize":
            return maximized(task, self.name, plan, per_image(task, self._optimize))
        reference, at = references(self.name, task), layers(task, self.at)
        features = reference_activations(task, reference, at)
        terms = [Distance(layer, one, relative=True) for layer, one in zip(at, features, strict=True)]
        targets = tuple(Target(((-1.0, term),)) for term in terms)
        p = maximized(task, self.name, plan, gradient_ascent(replace(task, targets=targets, start=None), plan))
        return replace(p, extras={**p.extras, "given": reference})

    def _optimize(self, row: int, single: Task) -> OptimizationResult:
        own = self if self.typical is not None else replace(self, typical=self._measured(single))
        return gradient_ascent(single, own.plan(single))

    def _measured(self, single: Task) -> float:
        """Z of one picture."""
        frame, spread = single.frame, TYPICAL if single.frame.bounded else 1.0
        picture = frame.mean + FAINT * spread * normal(generators(single.seeds), frame.shape, frame)
        return spread * math.sqrt(math.prod(frame.shape)) * float(input_gradients(single, picture.to(frame.dtype)).norm())
