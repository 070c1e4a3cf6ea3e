"""Multifaceted feature visualization: one picture per facet, a group of pictures of a class that the network sees as alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.target import Target, direction
from ..facets import Facets, facets, unit_codes
from ..generator.encoder import code_module, encoder
from ..maximized import Maximized, maximized
from ..objective.objective import log_probability
from ..optimize.feature_matching import input_gradients
from ..optimize.gradient_ascent import gradient_ascent
from ..optimize.result import OptimizationResult, in_sequence
from ..optimize.task import Plan, Task, refuse
from ..pictures import pictures
from ..random import generators
from .denoised import FROM_MEAN, FROM_NOISE, Phase, rescaled
from .lucid import Lucid
from .maco import Maco

MIX = 1_000_003  # facets of one seed start from different noise
SCHEDULES = {"mean": FROM_MEAN, "noise": FROM_NOISE}
DRAWN = {  # at higher rates, or on longer ways, less is left of the mean picture
    "lucid": Lucid(rate=0.02, steps=160),
    "maco": Maco(rate=0.05, crops=4, contrast=1.3, crop=(0.95, 0.65)),
}
NO_MODULE = 'No module returns the features that facets are grouped by, so pictures are not drawn to theirs: name one, at="...".'
Stage = tuple[Plan, bool]  # one optimisation, and whether a class is maximized by its log-probability


@dataclass(frozen=True)
class Mfv:
    """One picture per facet: pictures of the class are grouped by their features, and from the mean of each group the score is
    maximized.

    It needs `data`. Pictures of all targets and facets come one after another, the largest facet of a target first; `extras` has
    the pictures they started from (`starts`), the real pictures of each (`members`, with NaN where a facet has fewer), and the
    `coverage` of each target: the share of its real pictures whose facet one of the synthesized pictures falls into, as the
    network sees them; it is below 1 where pictures of several facets have become alike to it.

    References: Nguyen, Yosinski and Clune, 2016, Multifaceted feature visualization, https://doi.org/10.48550/arXiv.1602.03616,
        k = 10 facets, the 15 pictures nearest to each centre. `Mfv.published()` follows one of the two schedules of its
        code: from mean pictures, or from noise about light grey, narrowing to the middle (the paper's centre-biased
        regularization), denoised after each step. Departures: (1) Photographs are drawn as `lucid` draws, by frequencies, but
        from the mean picture and in shorter steps: the schedule was made for AlexNet, and on EfficientNet-Lite0 it leaves pale
        lines. There is no bias to the centre then, but what mean pictures have of one. (2) Beside the target counts how far the
        picture's codes reach from the middle of all facets to that of its own, much as in Goh et al., 2021, Multimodal neurons,
        https://doi.org/10.23915/distill.00030 (their facets are directions of a lower layer): without it, pictures of several
        facets become alike. (3) k-means along 50 principal axes, without t-SNE before it. (4) Where their picture grows to 1.2
        times the network's input and is looked at in crops, ours keeps its size and 1/1.2 of it is looked at, enlarged: so it
        suits any network. (5) The denoising is solved by another method, and its weight runs to the end that was meant, see
        `Denoise`; weights are those of 227 pixels a side, and grow as sides shrink, so that a thing of a given share of the
        picture loses as much contrast.

    Arguments:
        k: How many facets, at most half as many as there are pictures.
        per: How many pictures around its centre stand for a facet.
        at: The layer that pictures are compared by; None: what goes into the class layer.
        start: "mean", or "noise": then only the pull tells facets apart. Without one they are several tries at the class, and
            the coverage says to how many of its kinds they came.
        draw: The recipe per facet: "lucid", "maco" with the spectrum and the colours of the pictures in facets, or "denoised", as
            published; None: "lucid" for inputs of three channels within bounds on a plane, "denoised" for all others.
        pull: For "lucid" and "maco": the weight of the facet beside the target, as the ratio of both gradients at the start. The
            trace is of both together, scores are of the target alone.
        phases: Another schedule for "denoised" than that of the start.

    Raises:
        InputError: there are fewer than two pictures of a target.
        MethodError: there is no data, or a setting is out of range.
    """

    k: int = 10
    per: int = 15
    at: str | None = None
    start: str = "mean"
    draw: str | None = None
    pull: float = 1.0
    phases: tuple[Phase, ...] | None = None
    name: ClassVar[str] = "mfv"

    @staticmethod
    def published(start: str = "mean") -> Mfv:
        """The schedule of the paper's code, for networks like AlexNet."""
        return Mfv(start=start, draw="denoised")

    def maximize(self, task: Task) -> Maximized:
        """One picture per target and facet."""
        self.check(task)
        source = pictures(task.model, task.data)
        grouped = partial(facets, task.model, source, k=self.k, per=self.per, at=self.at)
        every = [grouped(target, seed=seed) for target, seed in zip(task.targets, task.seeds, strict=True)]
        wide = task.take([row for row, groups in enumerate(every) for _ in range(len(groups))])
        stages, wide = self.stages(wide, every), replace(wide, steps=None)
        begun = self.started(wide, every)
        starts = initial_pictures(begun, stages[0][0])
        pulled = self.drawing(task) in DRAWN and self.pull != 0
        aimed = with_facet_targets(begun, starts, every, self.at, self.pull) if pulled else begun
        result = maximized(wide, self.name, stages[-1][0], run_stages(aimed, stages))
        result = replace(result, notes=(*result.notes, NO_MODULE)) if pulled and aimed is begun else result
        return self.with_facets(result, task, every, starts)

    def check(self, task: Task) -> None:
        """Refuse settings that are out of range."""
        why = "facets are kinds of real pictures"
        if task.data is None:
            raise refuse(self.name, "no data", why, "Pass data=, a folder of pictures or a tensor of inputs.")
        counts = self.k >= 1 and self.per >= 1 and self.pull >= 0 and self.phases != ()
        if not counts or self.start not in SCHEDULES or self.draw not in (None, "denoised", *DRAWN):
            words = 'Choose "mean" or "noise" as start, "lucid", "maco" or "denoised" as draw, '
            found = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("k", "per", "start", "draw", "pull", "phases"))
            raise refuse(self.name, found, why, words + "one facet and picture at least, and a pull of 0 or more.")

    def started(self, task: Task, every: Sequence[Facets]) -> Task:
        """The task of all facets, with the pictures to start from, or seeds of their own."""
        if self.start == "mean":
            means = torch.cat([groups.means for groups in every])
            return replace(task, start=task.frame.to_pictures(means.to(task.frame.device)))
        facet = [number for groups in every for number in range(len(groups))]
        seeds = tuple(seed + MIX * number for seed, number in zip(task.seeds, facet, strict=True))
        return replace(task, start=None, seeds=seeds)

    def drawing(self, task: Task) -> str:
        """The recipe for pictures of this frame: a name of `DRAWN`, or "denoised"."""
        frame = task.frame
        photographs = frame.shape[0] == 3 and len(frame.spatial) == 2 and frame.bounded
        return self.draw or ("lucid" if photographs and self.phases is None else "denoised")

    def stages(self, task: Task, every: Sequence[Facets]) -> list[Stage]:
        """The optimisations, each from where the one before it led; spectra and colours are those of the pictures in facets."""
        draw = self.drawing(task)
        if draw in DRAWN:
            fits = draw == "maco"  # its spectrum and colours; for others the pictures need not be copied
            plan = DRAWN[draw].plan(replace(task, data=torch.cat([groups.pictures for groups in every]) if fits else None))
            return [(replace(plan, steps=task.steps or plan.steps), False)]
        phases = rescaled(SCHEDULES[self.start] if self.phases is None else self.phases, task.steps)
        return [(phase.plan(task), phase.probable) for phase in phases]

    def with_facets(self, result: Maximized, task: Task, every: Sequence[Facets], starts: Tensor) -> Maximized:
        """The result with its facets, their real pictures, and how much of the data it covers."""
        x = task.frame.to_inputs(result.images.to(task.frame.device, task.frame.dtype))
        codes = torch.split(unit_codes(encoder(task.model, x[:1], self.at), x), [len(groups) for groups in every])
        covered = [groups.coverage(part) for groups, part in zip(every, codes, strict=True)]
        shape = len(result), max(len(rows) for groups in every for rows in groups.members), *task.frame.shape
        members = torch.full(shape, torch.nan)
        samples = [groups.pictures[list(rows)] for groups in every for rows in groups.members]
        for row, group in enumerate(samples):
            members[row, : len(group)] = task.frame.to_pictures(group).float()
        extras = {"starts": starts.float().cpu(), "members": members, "coverage": torch.tensor(covered)}
        notes = (*result.notes, *dict.fromkeys(map(_coverage, task.targets, every, covered)))
        provenance = {**result.provenance, "facets": [groups.document() for groups in every]}
        return replace(result, extras={**result.extras, **extras}, notes=notes, provenance=provenance)


def run_stages(task: Task, stages: Sequence[Stage]) -> OptimizationResult:
    """The optimisations one after the other."""
    total, results = sum(plan.steps for plan, _ in stages), list[OptimizationResult]()
    for plan, probable in stages:
        seconds = None if task.seconds is None else task.seconds * plan.steps / total
        targets = tuple(map(log_probability, task.targets)) if probable else task.targets
        results.append(gradient_ascent(replace(task, seconds=seconds, targets=targets), plan))
        task = replace(task, start=results[-1].pictures)
        if results[-1].stopped:
            break
    return in_sequence(results)


def with_facet_targets(task: Task, starts: Tensor, every: Sequence[Facets], at: str | None, pull: float) -> Task:
    """The task with targets to which the features' direction from the centre of all facets to that of their own is added.

    Where no module returns the features, the task itself is returned.
    """
    x = task.frame.to_inputs(starts[:1].to(task.frame.device, task.frame.dtype))
    layer = code_module(encoder(task.model, x, at), x)
    if layer is None:
        return task
    pulls = tuple(direction(layer, vector) for groups in every for vector in groups.directions)
    own, other = (input_gradients(replace(task, targets=t), starts).abs().flatten(1).sum(1) for t in (task.targets, pulls))
    weights = pull * torch.where(other > 0, own / other, 0)
    return replace(task, targets=tuple(t + float(w) * p for t, w, p in zip(task.targets, weights, pulls, strict=True)))


def initial_pictures(task: Task, plan: Plan) -> Tensor:
    """The pictures that an optimisation starts from."""
    if task.start is not None:
        return task.start
    canvas = task.changed(plan).canvas
    with torch.no_grad():
        return canvas.draw(canvas.start(task.frame, generators(task.seeds)), task.frame)


def _coverage(target: Target, groups: Facets, share: float) -> str:
    count = f"{len(groups)} facets" if len(groups) > 1 else f"{len(groups)} facet"
    pictures = f"{len(groups.pictures)} real pictures; the pictures made fall into those that hold {share:.0%} of them."
    return f"{target}: {count} of {pictures}"
