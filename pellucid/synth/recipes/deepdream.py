"""DeepDream: what a layer responds to in a picture, amplified, from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..canvas import Pixel
from ..canvas.spectrum import resample
from ..frame import Frame
from ..maximized import Maximized, PlannedRecipe, maximized
from ..optimize.coarse_to_fine import accepts
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.step_rules import Normalised
from ..optimize.task import Plan, Task, refuse
from ..random import generators
from ..robust import Robust


@dataclass(frozen=True)
class DeepDream(PlannedRecipe):
    """What a layer responds to in a picture, amplified: from coarse to fine, each octave adds detail to the one before.

        x <- x + rate g / mean|g|,   at sizes 1 / scale^(octaves - 1), ..., 1 / scale, 1 of the picture's

    The usual target is `pl.energy("layer")`, half the mean squared activation of all its units, but any will do. Without a
    picture to begin with it begins with noise.

    References: Mordvintsev, Olah and Tyka, 2015, Inceptionism, with the settings of its notebook: 4 octaves of scale 1.4, 10
        steps each, jitter of 32 in 224 pixels, steps of 1.5 in 255. Departures: octaves smaller than `least` pixels are left out;
        a network that takes one size alone gets one octave, and the notes say so.

    Arguments:
        octaves, scale: How many sizes, and by how much each is larger than the one before.
        steps: At each size.
        rate: The mean change of an entry in a step, in [0, 1].
        jitter: The largest shift, as a share of the sides; what leaves on one side comes back on the other.
        least: The shortest side that an octave may have, in pixels.
    """

    octaves: int = 4
    scale: float = 1.4
    steps: int = 10
    rate: float = 1.5 / 255
    jitter: float = 32 / 224
    least: int = 32
    name: ClassVar[str] = "deepdream"

    def plan(self, task: Task) -> Plan:
        """That of one octave."""
        robust = Robust(jitter=self.jitter, edge="wrap") if task.frame.spatial else None
        return Plan(Pixel(noise=0.05), Normalised(self.rate, by="mean"), self.steps, robust=robust)

    def maximize(self, task: Task) -> Maximized:
        plan, base, frames = self.plan(task), self._base(task), self._frames(task)
        notes: tuple[str, ...] = ()
        if len(frames) > 1 and not accepts(task, frames[0]):
            frames, notes = frames[-1:], (f"{task.model.name} takes inputs of one size only: one octave in place of several.",)
        detail, result = torch.zeros_like(base), None
        for frame in frames:
            ground = resample(base, frame.spatial)
            start = ground + resample(detail, frame.spatial)
            result = gradient_ascent(replace(task, frame=frame, start=start), plan)
            detail = result.pictures - ground
            if result.stopped:
                break
        assert result is not None
        whole = resample(result.pictures, task.frame.spatial) if result.stopped else result.pictures
        whole = whole.clamp(0, 1) if task.frame.bounded else whole
        p = maximized(task, self.name, plan, replace(result, pictures=whole, best=whole, majority=whole))
        return replace(p, notes=(*p.notes, *notes))

    def _base(self, task: Task) -> Tensor:
        if task.start is not None:
            return task.start.to(task.frame.device, torch.float32)
        (pictures,) = self.plan(task).canvas.start(task.frame, generators(task.seeds))
        return pictures

    def _frames(self, task: Task) -> list[Frame]:
        """The octaves, from the smallest."""
        if self.octaves < 1 or self.scale <= 1:
            found = f"octaves={self.octaves}, scale={self.scale}"
            raise refuse(self.name, found, "octaves grow, and there is one at least", "Take octaves=4, scale=1.4.")
        sides = task.frame.spatial
        sizes = [tuple(round(side / self.scale**k) for side in sides) for k in reversed(range(self.octaves))]
        return [*(task.frame.resized(*size) for size in sizes[:-1] if size and min(size) >= self.least), task.frame]
