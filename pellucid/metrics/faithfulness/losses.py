"""What the model loses without sets of regions, and the relevance of these: the two sides that metrics correlate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.methods.perturb.regions.regions import Partition
from ..metric import Answer
from ..removal.experiment import READINGS, Ablation, Experiment, Reading
from ..removal.order import Weigh, relevance

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


def part_relevance(answer: Answer, sample: int, part: Partition, weigh: Weigh = "sum") -> Tensor | None:
    """One number per part, with shape (n,), double, on the CPU; None where the map is not finite."""
    if not answer.finite[sample]:
        return None
    return relevance(answer.values[sample], part, shared=answer.shared, weigh=weigh).cpu()
