"""Experiment: samples with regions removed, and what the model says of them. Each is run once, whichever metrics need it."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.methods.perturb.imputers.column_values import ColumnValues
from pellucid.methods.perturb.imputers.imputer import Constant, Fill, occluded
from pellucid.methods.perturb.imputers.multi_input import as_imputer
from pellucid.methods.perturb.regions.division import Division
from pellucid.methods.perturb.regions.regions import Partition
from pellucid.tape.forward import batch_size, run_batched
from ..metric import Question
from .order import Weigh
from .steps import Steps

Reading = Literal["target", "probability", "confidence", "kept"]
READINGS: tuple[Reading, ...] = ("target", "probability", "confidence", "kept")


@dataclass(frozen=True)
class Scheme:
    """How regions are removed.

    Arguments:
        regions: Which regions.
        imputer: What replaces them: a number, a tensor, a function, or an imputer.
        steps: After how many of them the model is run.
        draws: Random draws of the imputer over which each reading is averaged.
        weigh: Whether the relevance of a region is the sum over its places, or their mean.
    """

    regions: Division
    imputer: Any
    steps: Steps
    draws: int = 1
    weigh: Weigh = "sum"

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise InputError(f"Scheme(draws={self.draws})", "no draw", "a reading is a mean over draws", "Ask for 1.")

    @property
    def key(self) -> Hashable:
        """The same for schemes that take the same parts away in the same manner."""
        given = self.imputer
        plain = isinstance(given, Constant) and not isinstance(given.value, Tensor)
        imputer = float(given.value) if plain else float(given) if isinstance(given, (int, float)) else given
        return (self.regions, imputer, self.draws)


class Ablation(NamedTuple):
    """A sample without the regions whose rank is below a number.

    Arguments:
        ranks: When each region is removed, with shape (n,): 0 for the first.
        gone: How many are removed.
    """

    sample: int
    ranks: Tensor
    gone: int

    @property
    def absent(self) -> Tensor:
        return self.ranks < self.gone

    @property
    def key(self) -> tuple[int, bytes]:
        """The same for the same regions of the same sample, in whatever order they went."""
        if not 0 < self.gone < len(self.ranks):
            return self.sample, b"all" if self.gone else b""
        return self.sample, hashlib.blake2b(np.packbits(self.absent.numpy()).tobytes(), digest_size=16).digest()


@dataclass(frozen=True, eq=False)
class Experiment:
    """All that is known of samples whose regions are removed in one manner.

    Arguments:
        parts: The regions of each sample.
        fills: What replaces them.
        draws: Random draws over which each reading is averaged.
        steady: Whether the replacement is the same whatever else is removed, and drawn once.
        last: The order that `_order` sorted last.
        known: Readings for every set of regions that was measured, with shape (4,), double, on the CPU.
    """

    question: Question
    parts: list[Partition]
    fills: list[Fill]
    draws: int
    steady: bool = False
    last: dict[str, Any] = field(default_factory=dict, repr=False)
    known: dict[tuple[int, bytes], Tensor] = field(default_factory=dict, repr=False)

    @property
    def forwards(self) -> int:
        """How many samples went through the model for what is known, the whole ones left out."""
        return self.draws * (len(self.known) - len(self.parts))

    def measure(self, ablations: Iterable[Ablation]) -> None:
        """Run the model on these, but for those already known; fewer where the run is cancelled (`core.progress`)."""
        new = {key: ablation for ablation in ablations if (key := ablation.key) not in self.known}
        keys, wanted = list(new), list(new.values())
        found: list[Tensor] = []

        def make(start: int, stop: int) -> tuple[Tensor, Sequence[int]]:
            return self._variants(wanted[start:stop])

        for _, _, readings in run_batched(
            self._readings, len(wanted), make, batch=batch_size(self.question.x), copies=self.draws
        ):
            found.append(readings.reshape(-1, self.draws, len(READINGS)).mean(1))
        if found:
            learned = torch.cat(found).cpu()  # it stays on the device until all of it is there
            self.known.update(zip(keys, learned, strict=False))

    def read(self, ablations: Sequence[Ablation]) -> Tensor | None:
        """The readings of each, with shape (n, 4), double, on the CPU; None where some of them, or all, were not measured."""
        rows = [self.known.get(ablation.key) for ablation in ablations]
        return torch.stack([row for row in rows if row is not None]) if rows and all(row is not None for row in rows) else None

    def _variants(self, ablations: Sequence[Ablation]) -> tuple[Tensor, Sequence[int]]:
        made, x = [], self.question.x
        for sample, group in groupby(ablations, lambda ablation: ablation.sample):
            runs = [list(same) for _, same in groupby(group, lambda ablation: id(ablation.ranks))]
            if self.steady and max(map(len, runs)) > 1 and self._plain(sample):  # to sort an order for one point costs more
                made += [self._going(sample, run) for run in runs]
                continue
            gone = torch.cat([self._gone(sample, run) for run in runs])
            draws = list(range(self.draws)) * len(gone)
            gone = gone.repeat_interleave(self.draws, 0) if self.draws > 1 else gone
            made.append(occluded(x[sample : sample + 1], gone, self.fills[sample], draws))
        variants = made[0] if len(made) == 1 else torch.cat(made)  # pictures are large: not copied without need
        return variants, [ablation.sample for ablation in ablations for _ in range(self.draws)]

    def _plain(self, sample: int) -> bool:
        """Whether regions are of places with all their channels, or of single values: what `_going` can write one by one."""
        shape, own = tuple(self.parts[sample].labels.shape), tuple(self.question.x.shape[1:])
        return shape == own or (len(own) > 1 and shape == (1, *own[1:]))

    def _going(self, sample: int, ablations: Sequence[Ablation]) -> Tensor:
        """Some points of one order: what goes between two of them is written into what the first left, and the rest is copied."""
        own, labels = self.question.x[sample], self.parts[sample].labels
        x = own.reshape(1 if labels.shape == own.shape else len(own), -1)
        content = self.fills[sample](labels[None] < 0, [0]).expand(1, *own.shape).reshape(x.shape)
        places, ends = self._order(sample, ablations[0].ranks)
        made, rest, done = x.new_empty(len(ablations), *x.shape), x.clone(), 0
        for row, ablation in enumerate(ablations):
            end = ends[ablation.gone]
            if end < done:
                rest, done = x.clone(), 0
            if end > done:
                going = places[done:end]
                rest.index_copy_(1, going, content.index_select(1, going))
                done = end
            made[row] = rest
        return made.reshape(-1, *own.shape)

    def _order(self, sample: int, ranks: Tensor) -> tuple[Tensor, list[int]]:
        """Places in the order in which they go, and how many are gone after each number of regions; kept for the next points."""
        if self.last.get("ranks") is not ranks or self.last.get("sample") != sample:
            labels = self.parts[sample].labels.flatten()
            ranked = torch.cat([ranks, ranks.new_tensor([len(ranks)])]).to(labels.device)[labels]  # label -1 never goes
            ends = torch.bincount(ranked, minlength=len(ranks) + 1)[:-1].cumsum(0).tolist()
            self.last.update(ranks=ranks, sample=sample, order=(ranked.argsort(stable=True), [0, *ends]))
        found: tuple[Tensor, list[int]] = self.last["order"]
        return found

    def _gone(self, sample: int, ablations: Sequence[Ablation]) -> Tensor:
        """Masks of what some orders' beginnings take away, all of one order: the rank is painted once, and compared."""
        labels, ranks = self.parts[sample].labels, ablations[0].ranks
        never = torch.tensor([len(ranks)])
        ranked = torch.cat([ranks, never]).to(torch.int32).to(labels.device)[labels]  # label -1 is the last
        gone = torch.tensor([ablation.gone for ablation in ablations], dtype=torch.int32, device=labels.device)
        return ranked < gone.reshape(-1, *[1] * labels.dim())

    def _readings(self, variants: Tensor, rows: Sequence[int]) -> Tensor:
        readout = self.question.readout
        values = readout.values(variants, rows, overwrite_input=True)
        return readings(self.question, readout.check(readout.read(values, rows)), values[None], rows)


def readings(question: Question, target: Tensor, output: Tensor, rows: Sequence[int]) -> Tensor:
    """What is read of each answer, with shape (n, 4), double.

    "target": the target itself. "probability": of the class that is judged; without classes, the target. "confidence": the
    greatest probability. "kept": whether that class is still the predicted one.
    """
    p, classes = question.probabilities(output), question.classes
    if p is None or classes is None:
        none = torch.full_like(target, torch.nan)
        return torch.stack([target, target, none, none], 1).double()
    ours = classes[list(rows)]
    chosen = p.gather(1, ours[:, None])[:, 0]
    return torch.stack([target.double(), chosen.double(), p.amax(1).double(), (p.argmax(1) == ours).double()], 1)


def experiment(question: Question, scheme: Scheme) -> Experiment:
    """The experiment of a scheme, one for all metrics and methods that share it; whole samples are known from the start."""
    return question.remembered(("experiment", scheme.key), lambda: _experiment(question, scheme))


def _experiment(question: Question, scheme: Scheme) -> Experiment:
    x, imputer = question.x, as_imputer(scheme.imputer)
    parts = question.remembered(("parts", scheme.regions), lambda: _parts(question, scheme.regions))
    fills = [imputer.prepare(x[i : i + 1], part, question.model) for i, part in enumerate(parts)]
    two = torch.zeros(2, *x.shape[1:], dtype=torch.bool, device=x.device)  # masks, for which a steady fill has one content
    steady = imputer.soft and not imputer.random and all(len(fill(two, [0, 0])) == 1 for fill in fills)
    draws = imputer.draws if isinstance(imputer, ColumnValues) else scheme.draws if imputer.random else 1
    made = Experiment(question, parts, fills, draws, steady)
    whole = readings(question, question.score, question.output, range(len(x))).cpu()
    made.known.update({(sample, b""): row for sample, row in enumerate(whole)})
    return made


def _parts(question: Question, regions: Division) -> list[Partition]:
    found = []
    for i in range(len(question)):
        part = regions.of(question.x[i : i + 1], question.model).to(question.x.device)
        if not isinstance(part, Partition):
            raise InputError(
                f"a removal curve over {regions}", "overlapping regions", "each place can be removed only once",
                "Divide the input: pl.perturb.Grid(n), Superpixels(n), Entries().",
            )  # fmt: skip
        found.append(part)
    return found


Sets = Sequence[Sequence[Ablation]]
"""Per sample, the sets of parts that are removed."""


def singles(sample: int, n: int) -> list[Ablation]:
    """Every part alone.

    Example:
        >>> [ablation.absent.tolist() for ablation in singles(0, 2)]
        [[True, False], [False, True]]
    """
    return [Ablation(sample, (torch.arange(n) - part) % n, 1) for part in range(n)]


def losses(study: Experiment, sets: Sets, reading: Reading) -> list[Tensor | None]:
    """f(x) - f(x without S), with shape (sets,), double, per sample; None for samples whose run was cancelled."""
    study.measure([ablation for ablations in sets for ablation in ablations])
    column, found = READINGS.index(reading), []
    for sample, ablations in enumerate(sets):
        without = study.read(ablations)
        found.append(None if without is None else study.known[sample, b""][column] - without[:, column])
    return found
