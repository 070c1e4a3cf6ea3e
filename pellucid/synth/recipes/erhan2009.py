"""Activation maximization as first published: the input of a given length with the highest score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..canvas import Pixel
from ..maximized import PlannedRecipe
from ..optimize.step_rules import Normalised
from ..optimize.task import Plan, Task
from ..prior import Ball


@dataclass(frozen=True)
class Erhan2009(PlannedRecipe):
    """The input of length rho with the highest activation: argmax a(x) subject to |x| = rho.

        x <- rho (x + eta g) / |x + eta g|

    For a linear unit w that is rho w / |w|, from every start. The input has no prior but its length, and of deep networks on
    photographs such pictures look like noise: the network is as happy with it.

    References: Erhan, Bengio, Courville and Vincent, 2009, Visualizing higher-layer features of a deep network, technical report
        1341, University of Montreal. The paper gives neither eta nor the number of steps; ours are `step` as a share of rho along
        the gradient, and `steps`. x is measured from what the network calls zero. Where the inputs have bounds, they are
        kept as well, which shortens x.

    Arguments:
        rho: The length, in the picture's units; None: that of the mean one of `data`, or without data that of pictures whose
            entries are uniform in [0, 1], or have variance 1 where no bounds are known.
        step: The length of a step, as a share of rho.
        steps: How many.

    Example:
        >>> import pellucid as pl, torch
        >>> net = torch.nn.Linear(2, 1, bias=False).eval()
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, -4.0]]))
        >>> pl.maximize(net, 0, recipe=Erhan2009(rho=10.0), shape=(2,)).images.round(decimals=2)
        tensor([[ 6., -8.]])
    """

    rho: float | None = None
    step: float = 0.1
    steps: int = 200
    name: ClassVar[str] = "erhan2009"

    def plan(self, task: Task) -> Plan:
        rho = self.rho if self.rho is not None else _typical(task)
        canvas = Pixel(noise=rho / math.sqrt(math.prod(task.frame.shape)))
        return Plan(canvas, Normalised(self.step * rho, by="length"), self.steps, (Ball(rho),))


def _typical(task: Task) -> float:
    """The length of the mean input."""
    frame = task.frame
    if task.data is not None:
        return Ball.of(frame.to_pictures(task.real(256)), frame).radius
    variance = float((1 / 12 + (frame.mean - 0.5).square()).mean()) if frame.bounded else 1.0
    return math.sqrt(math.prod(frame.shape) * variance)
