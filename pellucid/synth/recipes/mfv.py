"""Multifaceted feature visualization: one picture for each kind of picture that a class is of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..ascent import Normalised
from ..canvas import Pixel
from ..climb import climb
from ..climbed import Climbed, in_turn
from ..draws import drawn
from ..facets import Facets, coded, facets
from ..generator.encoder import encoder
from ..generator.pictures import pictures
from ..likely import likely
from ..maximized import Maximized, maximized
from ..parts import Projection
from ..prior.centre import Inside
from ..prior.denoise import UNITS, Denoise
from ..robust import Robust
from ..task import Plan, Task, refuse

MIX = 1_000_003  # facets of one seed begin with other noise
SIDE = 227  # pixels a side of the pictures that the schedule was published for


@dataclass(frozen=True)
class Phase:
    """One stretch of the way.

    Arguments:
        zoom: How many times the picture is larger than what the network sees of it.
        window: The standard deviation of where it looks, as a share of how far it could move.
        steps: How many.
        rate, slower: The mean change of an entry at the first and after the last step, on the scale 0..255.
        weight, weaker: That of the denoising, at the first and at the last step; a small one denoises much.
        margin: The rim that is not drawn on, as a share of the side.
        probable: Whether a class is climbed by its probability, which falls with the scores of others, or by its own score.
    """

    zoom: float
    window: float
    steps: int
    rate: float
    slower: float
    weight: float
    weaker: float
    margin: float = 0.0
    probable: bool = False


FROM_MEAN = (
    Phase(1.0, 0.3, 190, 1, 2, 0.4, 0.4),
    Phase(1.2, 0.3, 150, 1, 1, 0.01, 2),
    Phase(1.0, 0.2, 20, 2, 2, 0.1, 2, 50 / SIDE),
    Phase(1.0, 0.3, 10, 2, 2, 0.4, 2),
)
FROM_NOISE = (
    Phase(1.0, 0.3, 190, 11, 11, 0.001, 0.05, probable=True),
    Phase(1.2, 0.3, 150, 6, 6, 0.01, 0.08, probable=True),
    Phase(1.2, 0.3, 150, 1, 1, 0.01, 2),
    Phase(1.2, 0.1, 30, 3, 3, 0.1, 2, 50 / SIDE),
    Phase(1.0, 0.3, 10, 6, 3, 0.01, 2),
)
STARTS = {"mean": FROM_MEAN, "noise": FROM_NOISE}
NOISE = Pixel(level=175 / UNITS, noise=8 / UNITS)


@dataclass(frozen=True)
class Mfv:
    """One picture per facet: pictures of the class are grouped by what the network makes of them, and from the mean of each group
    a picture climbs, denoised after each step, first whole, then in parts, at last in its middle.

    It needs `data`. Pictures of all targets and facets come one after another, the largest facet of a target first; `extras` has
    the facets they began from (`starts`), the real pictures of each (`members`, with NaN where a facet has fewer), and the
    `coverage` of each target: the share of its real pictures whose facet one of the synthesized pictures falls into, as the
    network sees them; it is below 1 where pictures of several facets have become alike to it.

    References: Nguyen, Yosinski and Clune, 2016, Multifaceted feature visualization, https://doi.org/10.48550/arXiv.1602.03616,
        k = 10 facets, the 15 pictures nearest to each centre, and both schedules of its code: from mean pictures, and from noise
        about light grey, narrowing to the middle (the paper's centre-biased regularization). Departures: (1)
        k-means along 50 principal axes, without t-SNE before it. (2) Where their picture grows to 1.2 times the network's input
        and is looked at in crops, ours keeps its size and 1/1.2 of it is looked at, enlarged: so it suits any network. (3) The
        denoising is solved by another method, and its weight runs to the end that was meant, see `Denoise`; weights are those of
        227 pixels a side, and grow as sides shrink, so that a thing of a given share of the picture loses as much contrast.

    Arguments:
        k: How many facets, at most half as many as there are pictures.
        per: How many pictures around its centre stand for a facet.
        at: The layer that pictures are compared by; None: what goes into the class layer.
        start: "mean", or "noise": then nothing of a facet is in its picture; they are several tries at the class, and the
            coverage says to how many of its kinds they came.
        phases: Another schedule than that of the start.

    Raises:
        InputError: there are fewer than two pictures of a target.
        MethodError: there is no data.
    """

    k: int = 10
    per: int = 15
    at: str | None = None
    start: str = "mean"
    phases: tuple[Phase, ...] | None = None
    name: ClassVar[str] = "mfv"

    def maximize(self, task: Task) -> Maximized:
        """One picture per target and facet."""
        if task.data is None or self.k < 1 or self.per < 1 or self.phases == () or self.start not in STARTS:
            found = "no data" if task.data is None else f"k={self.k}, per={self.per}, start={self.start!r}, phases={self.phases}"
            do = (
                'Pass data=, a folder of pictures or a tensor of inputs, start="mean" or "noise", one facet and picture at least.'
            )
            raise refuse(self.name, found, "facets are kinds of real pictures", do)
        source = pictures(task.model, task.data)
        every = [
            facets(task.model, source, target, k=self.k, per=self.per, at=self.at, seed=seed)
            for target, seed in zip(task.targets, task.seeds, strict=True)
        ]
        rows = [row for row, found in enumerate(every) for _ in range(len(found))]
        wide, phases = self.begun(replace(task.take(rows), steps=None), every), self.scaled(task.steps)
        assert wide.start is not None
        result = maximized(wide, self.name, self.plan(wide, phases[-1]), self.climbed(wide, phases))
        return self.told(result, task, every, wide.start)

    def begun(self, task: Task, every: Sequence[Facets]) -> Task:
        """The task of all facets, with the pictures that they begin with."""
        if self.start == "mean":
            return replace(task, start=task.frame.shown(torch.cat([found.means for found in every]).to(task.frame.device)))
        facet = [number for found in every for number in range(len(found))]
        draws = drawn([seed + MIX * number for seed, number in zip(task.seeds, facet, strict=True)])
        return replace(task, start=NOISE.start(task.frame, draws)[0])

    def scaled(self, steps: int | None) -> tuple[Phase, ...]:
        """The phases in so many steps altogether, each with its share of them."""
        phases = STARTS[self.start] if self.phases is None else self.phases
        if steps is None:
            return phases
        total, ends, before = sum(phase.steps for phase in phases), [0], 0
        for phase in phases:
            before += phase.steps
            ends.append(round(steps * before / total))
        lengths = [b - a for a, b in pairwise(ends)]
        return tuple(replace(phase, steps=n) for phase, n in zip(phases, lengths, strict=True) if n)

    def plan(self, task: Task, phase: Phase) -> Plan:
        """One phase as a climb."""
        ascent = Normalised(phase.rate / UNITS, schedule="linear", end=phase.slower / UNITS)
        if not task.frame.spatial:
            return Plan(Pixel(), ascent, phase.steps)
        size = SIDE / math.prod(task.frame.spatial) ** (1 / len(task.frame.spatial))
        priors: tuple[Projection, ...] = (Denoise(size * phase.weight, size * phase.weaker, phase.steps),)
        priors = (Inside(phase.margin), *priors) if phase.margin else priors
        seen = 1 / phase.zoom
        robust = Robust(crop=seen, centre_spread=phase.window * (1 - seen), edge="border") if phase.zoom > 1 else None
        return Plan(Pixel(), ascent, phase.steps, priors, robust)

    def climbed(self, task: Task, phases: Sequence[Phase]) -> Climbed:
        """All phases, each from where the last one led."""
        total, found = sum(phase.steps for phase in phases), list[Climbed]()
        for phase in phases:
            seconds = None if task.seconds is None else task.seconds * phase.steps / total
            targets = tuple(map(likely, task.targets)) if phase.probable else task.targets
            now = climb(replace(task, seconds=seconds, targets=targets), self.plan(task, phase))
            found.append(now)
            task = replace(task, start=now.pictures)
            if now.stopped:
                break
        return in_turn(found)

    def told(self, result: Maximized, task: Task, every: Sequence[Facets], starts: Tensor) -> Maximized:
        """With the facets, where they come from, and how much of the data they cover."""
        covered, at = [], 0
        for found in every:
            made = task.frame.fed(result.images[at : at + len(found)].to(task.frame.device, task.frame.dtype))
            covered.append(found.coverage(coded(encoder(task.model, made[:1], self.at), made)))
            at += len(found)
        shape = len(result), max(len(rows) for found in every for rows in found.members), *task.frame.shape
        members = torch.full(shape, torch.nan)
        groups = [found.pictures[list(rows)] for found in every for rows in found.members]
        for row, group in enumerate(groups):
            members[row, : len(group)] = task.frame.shown(group).float()
        extras = {"starts": starts.float().cpu(), "members": members, "coverage": torch.tensor(covered)}
        notes = (*result.notes, *dict.fromkeys(map(_covers, task.targets, every, covered)))
        provenance = {**result.provenance, "facets": [_listed(found) for found in every]}
        return replace(result, extras={**result.extras, **extras}, notes=notes, provenance=provenance)


def _covers(target: Any, found: Facets, share: float) -> str:
    return (
        f"{target}: {len(found)} {'facets' if len(found) > 1 else 'facet'} of {len(found.pictures)} real pictures; the pictures "
        f"made fall into those that hold {share:.0%} of them."
    )


def _listed(found: Facets) -> list[dict[str, Any]]:
    """Facets as plain data: how many pictures each holds, and which stand for it."""
    pairs = zip(found.sizes, found.members, strict=True)
    return [{"pictures": size, "members": [found.names[row] for row in rows]} for size, rows in pairs]
