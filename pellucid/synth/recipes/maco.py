"""MACO: pictures with the spectrum of photographs, of which only the phases are optimised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..canvas import Phase, Spectrum
from ..maximized import Maximized, PlannedRecipe, maximized
from ..optimize.coarse_to_fine import coarse_to_fine
from ..optimize.feature_matching import input_gradients
from ..optimize.step_rules import Adam
from ..optimize.task import Plan, Task
from ..robust import Robust

LEARNT = 256  # pictures that a spectrum is fitted to, at most
VIEWS = 8  # random views in which the gradient is measured


@dataclass(frozen=True)
class Maco(PlannedRecipe):
    """The picture that scores highest among those with the spectrum of photographs, seen in many crops.

    What the score depends on is drawn; the rest stays a texture of that spectrum. `extras["transparency"]` distinguishes the two:
    the gradient of the score by each place, as a share of its 80th percentile, at most 1.

    References: Fel et al., 2023, Unlocking feature visualization for deeper networks with magnitude constrained optimization,
        https://doi.org/10.48550/arXiv.2306.06805, with the settings of its codes: NAdam with a rate of 1, 256 steps, 32 crops of
        a canvas of 512 pixels, their sides falling from 50 % to 5 % of it, centres ~ N(0.5, 0.15), noise of 0.08. Departures:
        (1) Phases are uniform, moved as complex numbers, and the spectrum is kept exactly, see `Phase`; the rate is of those
        numbers, and falls to 0. (2) The canvas is as large as the network's input, so that the whole picture is what is scored;
        crops are larger to match. (3) Without data, the spectrum is a power of the frequency; with data, that of the data, in
        colours fitted to them. (4) Transparency is measured on the last picture, where the codes add gradients up over all steps.

    Arguments:
        rate, steps: Of Adam with Nesterov's momentum.
        crops: How many are scored in each step.
        crop: Their side at the first and the last step, as a share of the picture's.
        noise: On each entry, in [0, 1].
        contrast: Of the picture, before its sigmoid.
        coarse: The share of the steps that are made at half the size, see `Plan`.
    """

    rate: float = 0.2
    steps: int = 160
    crops: int = 8
    crop: tuple[float, float] = (0.95, 0.5)
    noise: float = 0.05
    contrast: float = 1.5
    coarse: float = 0.0
    name: ClassVar[str] = "maco"

    def plan(self, task: Task) -> Plan:
        steps = task.steps or self.steps
        robust = Robust(self.crops, crop=self.crop, crop_spread=0.05, centre_spread=0.15, noise=self.noise, over=max(1, steps))
        ascent = Adam(self.rate, nesterov=True, schedule="cosine")
        spectrum = None if task.data is None else Spectrum.fit(task.frame.to_pictures(task.real(LEARNT)))
        return Plan(Phase(spectrum, self.contrast), ascent, self.steps, robust=robust, coarse=self.coarse)

    def maximize(self, task: Task) -> Maximized:
        plan = self.plan(task)
        p = maximized(task, self.name, plan, coarse_to_fine(task, plan))
        return replace(p, extras={**p.extras, "transparency": transparency(task, p.images, plan)})


def transparency(task: Task, images: Tensor, plan: Plan) -> Tensor:
    """Where the score depends on a picture: its gradient by each place over random views, as a share of its 80th percentile.

    The shape is (n, *spatial), the values in [0, 1].
    """
    robust, maps = task.changed(plan).robust, []
    for row in range(len(task)):
        picture = images[row : row + 1].to(task.frame.device, task.frame.dtype)
        gradient = input_gradients(task.take([row]), picture, robust, VIEWS).float().abs()
        heat = gradient.sum(1) if gradient.dim() > 2 else gradient
        top = heat.flatten().quantile(0.8)
        maps.append((heat / torch.where(top > 0, top, 1.0)).clamp(max=1).cpu())
    return torch.cat(maps)
