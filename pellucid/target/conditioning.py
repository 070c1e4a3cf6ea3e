"""Conditioning: conditions on values inside the model that relevance has to pass on its way to the input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.errors import MethodError
from pellucid.model.where import Where
from .condition import Condition


@dataclass(frozen=True)
class Conditioning:
    """What relevance has to pass on its way from the target to the input: conditions by address, all of them.

    Example:
        >>> from pellucid.target.selection import channels
        >>> print(Conditioning((("layer4", channels(17)), ("layer3", channels([1, 2])))))
        channel 17 of layer4 and channels 1 and 2 of layer3
    """

    conditions: tuple[tuple[str | Where, Condition], ...]

    def check(self, samples: int) -> None:
        for _, condition in self.conditions:
            condition.check(samples)

    def take(self, sample: int) -> Conditioning:
        """The conditions on one sample."""
        return Conditioning(tuple((where, condition.take(sample)) for where, condition in self.conditions))

    def text(self, sample: int = 0) -> str:
        return " and ".join(f"{condition.text(sample)} of {where}" for where, condition in self.conditions)

    def __str__(self) -> str:
        return self.text()


def as_conditionings(only: Any, at: str | Where | None) -> tuple[Conditioning, ...]:
    """What users write as `only=`: a condition on the value at `at`; several by address; or a list of these, with a map for each.

    Example:
        >>> from pellucid.target.selection import channels
        >>> [str(one) for one in as_conditionings([channels(1), {"layer3": channels(2)}], "layer4")]
        ['channel 1 of layer4', 'channel 2 of layer3']
    """
    several = only if isinstance(only, (list, tuple)) else [only]
    if not several:
        raise MethodError("only=[]", "an empty list", "there is no map to make", "Name a condition: only=pl.channels([17]).")
    return tuple(_conditioning(one, at) for one in several)


def _conditioning(only: Any, at: str | Where | None) -> Conditioning:
    if isinstance(only, Condition):
        if at is None:
            raise MethodError(
                f"only={only}", "no layer", "every layer has channels and places of its own",
                'Say of which: at="layer4", or only={"layer4": pl.channels([17])}.',
            )  # fmt: skip
        return Conditioning(((at, only),))
    if isinstance(only, Mapping) and only and all(isinstance(one, Condition) for one in only.values()):
        return Conditioning(tuple(only.items()))
    raise MethodError(
        f"only={only!r}", f"a {type(only).__name__}", "a condition says which part of a layer relevance passes",
        'Pass pl.channels([17, 33]), or {"layer4": pl.channels([17]), "layer3": pl.channels([5])}.',
    )  # fmt: skip


def has_addresses(only: Any) -> bool:
    """Whether conditions bring their own addresses, so that `at` keeps its own meaning."""
    return all(isinstance(one, Mapping) for one in (only if isinstance(only, (list, tuple)) else [only]))
