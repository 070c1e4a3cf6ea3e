"""The order in which regions are removed: by the relevance of a map, or at random."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pellucid.core.random import stream
from pellucid.methods.perturb.regions.regions import Partition
from ..metric import Answer

Weigh = Literal["sum", "mean"]


def relevance(values: Tensor, parts: Partition, *, shared: bool = False, weigh: Weigh = "sum") -> Tensor:
    """One number per region, with shape (n,), double.

    Arguments:
        values: Of one sample.
        shared: Whether channels share one value, which then counts once.
        weigh: Whether a region has the sum over its places, or their mean.

    Example:
        >>> halves = Partition((1, 4), torch.tensor([[0, 0, 0, 1]]))
        >>> relevance(torch.tensor([[1.0, 1.0, 1.0, 2.0]]), halves), relevance(torch.ones(1, 4), halves, weigh="mean")
        (tensor([3., 2.], dtype=torch.float64), tensor([1., 1.], dtype=torch.float64))
    """
    labels, heat = parts.labels, values.double().to(parts.labels.device)
    for axis, (ours, theirs) in enumerate(zip(labels.shape, heat.shape, strict=True)):
        if ours == 1 and theirs > 1:
            heat = heat.mean(axis, keepdim=True) if shared and axis == 0 else heat.sum(axis, keepdim=True)
    inside = labels >= 0
    total = torch.zeros(parts.n, dtype=torch.float64, device=heat.device).index_add_(0, labels[inside], heat[inside])
    return total / sizes(parts) if weigh == "mean" else total


def sizes(parts: Partition) -> Tensor:
    """How many places each region has, double."""
    return torch.bincount(parts.labels[parts.labels >= 0], minlength=parts.n).double()


def ranks(relevance: Tensor, seed: int = 0) -> Tensor:
    """When each region goes, the most relevant first: 0 for the first, n - 1 for the last.

    The least relevant first is the reverse. Among equals a shuffle decides that is the same for every sample: a map that is the
    same everywhere says nothing, and is judged as one by chance.

    Example:
        >>> ranks(torch.tensor([0.1, 3.0, -2.0]))
        tensor([1, 0, 2])
    """
    shuffled = by_chance(len(relevance), seed, "ties")
    first = shuffled[relevance.cpu()[shuffled].sort(descending=True, stable=True).indices]
    return torch.empty_like(first).scatter_(0, first, torch.arange(len(first)))


def by_chance(n: int, seed: int, *name: object) -> Tensor:
    """A random order of n regions."""
    return torch.randperm(n, generator=stream("order", seed, *name, n))


def rank_regions(answer: Answer, parts: list[Partition], weigh: Weigh, seed: int) -> list[Tensor | None]:
    """The order a map gives to the regions of each sample; None where the map is not finite."""
    return [
        ranks(relevance(values, part, shared=answer.shared, weigh=weigh), seed) if sound else None
        for values, part, sound in zip(answer.values, parts, answer.finite, strict=True)
    ]


def part_relevance(answer: Answer, sample: int, part: Partition, weigh: Weigh = "sum") -> Tensor | None:
    """One number per part, with shape (n,), double, on the CPU; None where the map is not finite."""
    if not answer.finite[sample]:
        return None
    return relevance(answer.values[sample], part, shared=answer.shared, weigh=weigh).cpu()
