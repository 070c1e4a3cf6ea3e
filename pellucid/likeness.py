"""Likeness: whether a map of why one class rather than another is more than a remainder of two maps that are alike."""

from __future__ import annotations

from pellucid.explanation.attribution import Attribution
from pellucid.target import Target

FAINT = 0.2  # of what the maps of the terms hold: a difference below it is said to be small


def remainder(found: Attribution) -> float | None:
    """How much a contrast's map holds, as a share of what its terms are worth together; the largest over the samples.

    Of methods that keep books, whose maps are made of the score: where the maps of both terms lie apart it is near 1, and where
    they are the same, near 0. None for other methods, for single targets, and for terms that are read inside the model.
    """
    terms = found.target.terms
    if found.ledger is None or len(terms) < 2 or any(term.at is not None for _, term in terms):
        return None
    if found.values.shape[0] != len(found.output):
        return None
    worth = sum(abs(weight) * Target(((1.0, term),)).read(lambda at: found.output).abs() for weight, term in terms)
    share = found.values.flatten(1).abs().sum(1).double() / worth.double().clamp(min=1e-12)  # type: ignore[union-attr]
    return float(share.max())


def note(found: Attribution) -> tuple[str, ...]:
    """A sentence, where what the terms have in common is most of what there is."""
    share = remainder(found)
    if share is None or share >= FAINT:
        return ()
    held = f"the map of the difference holds {share:.0%} of what the maps of its terms do"
    return (f"This method says nearly the same of both: {held}.",)
