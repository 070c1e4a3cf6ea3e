"""Explanations of single samples as one of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from .explanation import Choices, Explanation
from .ledger import Ledger, Row, before


def concat(single: Sequence[Explanation]) -> Explanation:
    """One explanation of all samples, in order.

    Arguments:
        single: Of one sample each, by the same method, with as many rows for each; the first says what holds for all.
    """
    first = single[0]
    targets = tuple(target for e in single for target in (e.targets or (e.target,) * len(e)))
    errors = [e.error for e in single]
    ledgers = [e.ledger for e in single]
    return replace(
        first,
        values=torch.cat([e.values for e in single]),
        output=torch.cat([e.output for e in single]),
        targets=() if len(set(targets)) == 1 else targets,
        error=None if any(error is None for error in errors) else torch.cat([e for e in errors if e is not None]),
        ledger=None if any(ledger is None for ledger in ledgers) else concat_ledgers([one for one in ledgers if one is not None]),
        notes=tuple(dict.fromkeys(note for e in single for note in e.notes)),
        doubts=tuple(dict.fromkeys(doubt for e in single for doubt in e.doubts)),
        forwards=sum(e.forwards for e in single),
        through=tuple(words for e in single for words in e.through),
        contrast=tuple(pair for e in single for pair in e.contrast),
        choices=tuple(choice for e in single for choice in choices(e)),
        names=tuple(name for e in single for name in e.names),
        labels=tuple(label for e in single for label in e.labels),
    )


def choices(e: Explanation) -> tuple[Choices, ...]:
    """The top classes of every sample; none where they are known of no sample."""
    return e.choices or (((e.classes,) if e.classes else ()) if len(e) == 1 else ())


def concat_ledgers(ledgers: Sequence[Ledger]) -> Ledger:
    """The ledger of all samples; an entry that one of them has not is zero there."""
    seed, arrived = (torch.cat([getattr(one, side) for one in ledgers]) for side in ("seed", "input"))
    amounts: dict[tuple[bool, str, str, str], torch.Tensor] = {}
    for number, ledger in enumerate(ledgers):
        many, first = len(ledger.seed), len(before(ledger.rows))
        for place, row in enumerate(ledger.rows):
            key = place >= first, row.where, row.op, row.cause  # what lies before a condition stays before it
            total = amounts.setdefault(key, torch.zeros(len(seed), dtype=row.amount.dtype))
            total[number * many : (number + 1) * many] += row.amount.cpu()
    ordered = sorted(amounts.items(), key=lambda item: item[0][0])
    return Ledger(seed, arrived, tuple(Row(*key[1:], amount) for key, amount in ordered))
