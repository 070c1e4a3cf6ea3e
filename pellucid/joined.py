"""Explanations of single samples as one of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from .explanation import Explanation
from .ledger import Ledger, Row


def joined(single: Sequence[Explanation]) -> Explanation:
    """One explanation of all samples, in order.

    Arguments:
        single: Of one sample each, by the same method; the first says what holds for all.
    """
    first = single[0]
    targets = tuple(e.target for e in single)
    errors = [e.error for e in single]
    ledgers = [e.ledger for e in single]
    return replace(
        first,
        values=torch.cat([e.values for e in single]),
        output=torch.cat([e.output for e in single]),
        targets=() if len(set(targets)) == 1 else targets,
        error=None if any(error is None for error in errors) else torch.cat([e for e in errors if e is not None]),
        ledger=None if any(ledger is None for ledger in ledgers) else books([one for one in ledgers if one is not None]),
        notes=tuple(dict.fromkeys(note for e in single for note in e.notes)),
        forwards=sum(e.forwards for e in single),
    )


def books(ledgers: Sequence[Ledger]) -> Ledger:
    """The books of all samples; a booking that one of them has not is zero there."""
    seed, arrived = (torch.cat([getattr(one, side) for one in ledgers]) for side in ("seed", "input"))
    amounts: dict[tuple[str, str, str], torch.Tensor] = {}
    for number, ledger in enumerate(ledgers):
        for row in ledger.rows:
            key = row.where, row.op, row.cause
            amounts.setdefault(key, torch.zeros(len(ledgers), dtype=row.amount.dtype))[number] += row.amount[0].cpu()
    return Ledger(seed, arrived, tuple(Row(*key, amount) for key, amount in amounts.items()))
