"""Objective: the scores of a batch of pictures, one target each; targets of one kind are read together.

Among them the log-probability of a class, which recipes maximize in place of its logit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.errors import TargetError
from pellucid.target import Target, Term
from pellucid.target.activation import Channel
from pellucid.target.classes import Logit, OfClass

TOGETHER = ("index", "labels", "unit")  # fields in which terms of one kind may differ from picture to picture


@dataclass(frozen=True, eq=False)
class Objective:
    """The score of every view of every picture.

    Arguments:
        groups: Rows of the batch, and their common target with one class or unit per row.
        count: The size of the batch.

    Example:
        >>> from pellucid import logit
        >>> objective = objective_of([logit(0), 2 * logit(1), logit(1)])
        >>> len(objective.groups), objective({None: torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])})
        (2, tensor([1., 8., 6.]))
    """

    groups: tuple[tuple[tuple[int, ...], Target], ...]
    count: int

    def __call__(self, values: Mapping[str | None, Tensor], views: int = 1) -> Tensor:
        """One number per picture, shape (count,): the mean over its views, which are adjacent in `values`."""
        scores: Tensor | None = None
        for rows, target in self.groups:
            chosen = [view for row in rows for view in range(row * views, (row + 1) * views)]
            copies = target.take([i for i in range(len(rows)) for _ in range(views)])
            whole = len(rows) == self.count
            read = copies.read(lambda at, rows=chosen, whole=whole: values[at] if whole else values[at][rows])  # type: ignore[misc]
            read = _checked(copies, read, len(chosen)).float().view(len(rows), views).mean(1)
            if whole:
                return read
            scores = read.new_zeros(self.count) if scores is None else scores
            scores = scores.index_copy(0, torch.tensor(rows, device=read.device), read)
        assert scores is not None
        return scores

    def leads(self, values: Mapping[str | None, Tensor], views: int = 1) -> Tensor | None:
        """For which pictures the target's class or channel has the highest value of its layer, a mask (count,).

        None for other targets, and for channels of tokens.
        """
        leads: Tensor | None = None
        for rows, target in self.groups:
            (_, term), *more = target.terms
            value = values.get(term.at)
            if more or value is None or not isinstance(term, (Logit, Channel)) or (isinstance(term, Channel) and term.tokens):
                return None
            means = value.detach().flatten(2).mean(2) if value.dim() > 2 else value.detach()
            means = means.view(self.count, views, -1).mean(1)[list(rows)]
            best = term.index if isinstance(term, Logit) else term.unit
            leads = torch.zeros(self.count, dtype=torch.bool, device=means.device) if leads is None else leads
            leads[list(rows)] = means.argmax(1) == torch.tensor(best, device=means.device) % means.shape[1]
        return leads


@dataclass(frozen=True)
class LogProbability(OfClass):
    """The logarithm of the probability of a class: what cross-entropy lowers the negative of."""

    word: ClassVar[str] = "log-probability"

    def read(self, value: Tensor) -> Tensor:
        independent = self.link == "sigmoid"
        return self.pick(functional.logsigmoid(value.float()) if independent else functional.log_softmax(value.float(), 1))


def log_probability(target: Target) -> Target:
    """The target with the log-probability of its class in place of the logit; any other target as it is."""
    weight, term = target.terms[0]
    if len(target.terms) > 1 or not isinstance(term, Logit) or weight <= 0:
        return target
    return Target(((weight, LogProbability(term.at, term.index, term.labels, link=term.link)),))


def objective_of(targets: Sequence[Target]) -> Objective:
    """The objective of a batch with one resolved target per picture."""
    kinds: dict[Any, list[int]] = {}
    for row, target in enumerate(targets):
        kinds.setdefault(tuple((weight, term_key(term, TOGETHER)) for weight, term in target.terms), []).append(row)
    return Objective(tuple((tuple(rows), _merge([targets[row] for row in rows])) for rows in kinds.values()), len(targets))


def term_key(term: Term, ignored: Sequence[str] = ()) -> tuple[Any, ...]:
    """What equal terms have in common: their class and fields, but for those ignored; tensors and functions by identity."""
    values = ((field.name, getattr(term, field.name)) for field in fields(term) if field.name not in ignored)
    return (type(term), *((name, value if isinstance(value, (str, int, float, tuple)) else id(value)) for name, value in values))


def _merge(targets: Sequence[Target]) -> Target:
    first, terms = targets[0], []
    for place, (weight, term) in enumerate(first.terms):
        parts = [target.terms[place][1] for target in targets]
        if isinstance(term, OfClass):
            labels = tuple(label for part in parts if isinstance(part, OfClass) for label in part.labels[:1])
            every = tuple(part.index if isinstance(part.index, int) else part.index[0] for part in parts)  # type: ignore
            term = replace(term, index=every, labels=labels if len(labels) == len(parts) else ())
        elif isinstance(term, Channel):
            term = replace(term, unit=tuple(part.unit for part in parts))  # type: ignore[attr-defined]
        terms.append((weight, term))
    return Target(tuple(terms))


def _checked(target: Target, scores: Tensor, count: int) -> Tensor:
    if tuple(scores.shape) == (count,):
        return scores
    raise TargetError(
        target.text(), f"a result of shape {tuple(scores.shape)} for {count} pictures", "one number for each is needed",
        "Say which part is meant: a position, a box, a mask, or a function that returns shape (batch,).",
    )  # fmt: skip
