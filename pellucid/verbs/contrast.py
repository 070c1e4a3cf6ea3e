"""Contrasts: why the one rather than the other, what each end of their map speaks for, and whether a method tells them apart."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pellucid.errors import TargetError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.explanation import Contrast
from pellucid.target import Target, as_target
from pellucid.target.target import Term

SMALL = 0.2  # of the relevance in the maps of the terms: a difference below it is noted as small


def against(target: Any, versus: Any) -> Any:
    """The target, or by how much it scores higher than another one.

    Raises:
        TargetError: both are the same.
    """
    if versus is None:
        return target
    if type(target) is type(versus) and not isinstance(target, Target) and target == versus:
        asked = f"target={target!r}, versus={versus!r}"
        raise TargetError(asked, "the same twice", "their difference is zero", "Name another one to compare with.")
    return as_target(target) - as_target(versus)


def contrast(attribution: Attribution) -> tuple[Contrast, ...]:
    """Of a difference of two scores, for every sample both by name and by score; of other targets nothing."""
    terms = attribution.target.terms
    if [weight for weight, _ in terms] != [1.0, -1.0] or not _readable(attribution):
        return ()
    (_, one), (_, other) = terms
    scores = zip(_score(attribution, one).tolist(), _score(attribution, other).tolist(), strict=True)
    return tuple(((one.short(row), first), (other.short(row), second)) for row, (first, second) in enumerate(scores))


def _readable(attribution: Attribution) -> bool:
    """Whether every term is read from the output, which is that of the samples that are explained."""
    inside = any(term.at is not None for _, term in attribution.target.terms)
    return not inside and attribution.values.shape[0] == len(attribution.output)


def _score(attribution: Attribution, term: Term) -> Tensor:
    return Target(((1.0, term),)).read(lambda at: attribution.output).detach()


def remainder(attribution: Attribution) -> float | None:
    """How much a contrast's map holds, as a share of what its terms are worth together; the largest over the samples.

    Of methods that keep a ledger, whose maps are made of the score: it is near 1 where the maps of both terms lie apart, and near
    0 where they are the same. None for other methods, for single targets, and for terms that are read inside the model.
    """
    terms = attribution.target.terms
    if attribution.ledger is None or len(terms) < 2 or not _readable(attribution):
        return None
    worth: Any = sum(abs(weight) * _score(attribution, term).abs() for weight, term in terms)
    share = attribution.values.flatten(1).abs().sum(1).double() / worth.double().clamp(min=1e-12)
    return float(share.max())


def small_difference(attribution: Attribution) -> tuple[str, ...]:
    """A sentence, where what the terms have in common is most of what there is."""
    share = remainder(attribution)
    if share is None or share >= SMALL:
        return ()
    held = f"the map of the difference holds {share:.0%} of what the maps of its terms do"
    return (f"This method says nearly the same of both: {held}.",)
