"""DeepInversion: pictures whose features have the statistics that batch norms hold of the training data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..canvas import Pixel
from ..frame import Frame
from ..maximized import Maximized, PlannedRecipe, maximized
from ..objective.objective import log_probability
from ..optimize.coarse_to_fine import coarse_to_fine
from ..optimize.step_rules import Adam
from ..optimize.task import Plan, Task, refuse
from ..prior import L2, BatchNorm, Gradients
from ..protocols import Penalty
from ..robust import Robust

NO_STATISTICS = "The network has no batch norm with statistics of its training data: only the smoothness prior holds."


@dataclass(frozen=True)
class DeepInversion(PlannedRecipe):
    """The picture of the highest probability whose features have the means and variances that the batch norms hold.

        log p(class | x) - r sum over layers of (|mean - running mean| + |variance - running variance|) - R(x)

    R is its differences to four neighbours, and its squared length. No data are needed: the batch norms hold what is known of
    them. Targets that are no class are maximized as they are. A network without batch norm gets R alone, and a note that says so.

    References: Yin et al., 2020, Dreaming to distill: data-free knowledge transfer via DeepInversion,
        https://doi.org/10.1109/CVPR42600.2020.00874, with the settings of its code: r = 0.05 (0.01 in its examples), the first
        layer ten times as much, differences 1e-4, length 1e-5, Adam with 0.25, betas 0.5 and 0.9, cosine, jitter of 30 in 224
        pixels, mirrored, 2000 steps at half the size and 1000 at the whole, where the rate begins anew. Units of pictures are
        those of the network, here as there. Departures: means and variances are those of a picture alone, which then does not
        depend on its neighbours in a batch (`together=True` is the paper's, for batches of 64 and more); there are fewer steps,
        and no warm-up.

    Arguments:
        statistics: r.
        differences, length: The weights of R.
        rate, steps: Of Adam.
        coarse: The share of the steps that are made at half the size, see `Plan`.
        together: Whether statistics are taken over all pictures at once.

    Raises:
        MethodError: the model is not a module.
    """

    statistics: float = 0.01
    differences: float = 1e-4
    length: float = 1e-5
    rate: float = 0.25
    steps: int = 400
    coarse: float = 2 / 3
    together: bool = False
    name: ClassVar[str] = "deepinversion"

    def plan(self, task: Task) -> Plan:
        if task.model.module is None:
            found = f"{task.model.name}, which is not a module"
            why = "the statistics of its batch norms cannot be read"
            raise refuse(self.name, found, why, "Pass an nn.Module, or take recipe lucid.")
        unit, priors = units(task.frame), list[Penalty]()
        if has_statistics(task):
            priors += [BatchNorm.of(task.model.module, self.statistics, together=self.together)]
        priors += [Gradients(self.differences * unit)] if task.frame.spatial else []
        ascent = Adam(self.rate / unit, momentum=0.5, decay=0.9, schedule="cosine")
        robust = Robust(jitter=30 / 224, flip=len(task.frame.spatial) == 2, edge="wrap") if task.frame.spatial else None
        priors += [L2(self.length * unit**2)]
        return Plan(Pixel(noise=1 / unit), ascent, self.steps, tuple(priors), robust, coarse=self.coarse)

    def maximize(self, task: Task) -> Maximized:
        plan, targets = self.plan(task), tuple(map(log_probability, task.targets))
        p = maximized(task, self.name, plan, coarse_to_fine(replace(task, targets=targets), plan))
        return p if has_statistics(task) else replace(p, notes=(*p.notes, NO_STATISTICS))


def has_statistics(task: Task) -> bool:
    """Whether batch norms hold statistics of the training data."""
    module = task.model.module
    return module is not None and any(getattr(part, "running_mean", None) is not None for part in module.modules())


def units(frame: Frame) -> float:
    """The range of inputs, from 0 to 1 of a picture, in the network's units; the mean over channels."""
    if frame.low is None or frame.high is None:
        return 1.0
    return float((frame.high - frame.low).mean())
