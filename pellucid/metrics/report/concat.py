"""Concatenation: samples of several shapes are judged in groups of one shape, and reported in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..metric import Scores
from .table import Cost, Table

Group = tuple[list[int], Tensor]


def group_by_shape(samples: Sequence[Tensor]) -> list[Group]:
    """Samples of one shape in one batch, with their numbers in the order they came.

    Arguments:
        samples: Batches of one or more.

    Example:
        >>> groups = group_by_shape([torch.zeros(1, 3), torch.zeros(1, 2), torch.zeros(2, 3)])
        >>> [(numbers, tuple(x.shape)) for numbers, x in groups]
        [([0, 2, 3], (3, 3)), ([1], (1, 2))]
    """
    found: dict[tuple[int, ...], tuple[list[int], list[Tensor]]] = {}
    at = 0
    for x in samples:
        numbers, batches = found.setdefault(tuple(x.shape[1:]), ([], []))
        numbers += range(at, at + len(x))
        batches.append(x)
        at += len(x)
    return [(numbers, torch.cat(batches)) for numbers, batches in found.values()]


def concat(parts: Sequence[tuple[list[int], Table]]) -> Table:
    """One table of all groups, samples in the order they came; without methods that failed on one of the groups."""
    first = parts[0][1]
    if len(parts) == 1:
        return first
    tables = [table for _, table in parts]
    order = torch.tensor([number for numbers, _ in parts for number in numbers]).argsort()
    failures = {key: error for table in tables for key, error in table.failures.items()}
    gone = {name for name, metric in failures if metric is None}
    costs = {name: _cost(parts, name) for name in first.costs if name not in gone}
    both = [key for key in first.scores if key[0] not in gone and all(key in table.scores for table in tables)]
    scores = {key: _scores([table.scores[key] for table in tables], order) for key in both}
    model, _, target = first.asked.split(", ", 2)
    same = all(table.asked.split(", ", 2)[2] == target for table in tables)
    about = f"{model}, {len(order)} samples of {len(parts)} sizes, " + (target if same else "each sample's own target")
    spent, seconds = sum(table.forwards for table in tables), sum(table.seconds for table in tables)
    return replace(first, costs=costs, scores=scores, failures=failures, asked=about, forwards=spent, seconds=seconds)


def _cost(parts: Sequence[tuple[list[int], Table]], name: str) -> Cost:
    """What one sample takes, on average."""
    total = sum(len(numbers) for numbers, _ in parts)
    shares = [(len(numbers) / total, table.costs[name]) for numbers, table in parts]
    return Cost(sum(share * cost.forwards for share, cost in shares), sum(share * cost.seconds for share, cost in shares))


def _scores(found: Sequence[Scores], order: Tensor) -> Scores:
    def all_of(name: str) -> Tensor | None:
        parts = [getattr(one, name) for one in found]
        return None if any(part is None for part in parts) else torch.cat(parts)[order]

    values, notes = all_of("values"), tuple(dict.fromkeys(note for one in found for note in one.notes))
    assert values is not None
    forwards = sum(one.forwards for one in found)
    return Scores(values, forwards, all_of("floor"), all_of("ceiling"), all_of("reliability"), notes)
