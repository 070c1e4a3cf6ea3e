"""Modality: what the entries of a batch are, so that they can be named, selected and painted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Modality(ABC):
    """What the entries of a whole batch are. One frozen dataclass per kind, listed in `serialization.KINDS`.

    Fields are plain (numbers, strings, None), tensors, modalities, or tuples of these, so that any kind can be saved. Their names
    and `kind` stand in saved explanations and never change.
    """

    kind: ClassVar[str]
    per_sample: ClassVar[tuple[str, ...]]  # the fields that have an entry for each sample

    def take(self, rows: Sequence[int]) -> Self:
        """The same for a batch made of those samples, any of them as often as wanted."""
        fields = {name: getattr(self, name) for name in self.per_sample}
        chosen = {n: v[list(rows)] if isinstance(v, Tensor) else tuple(v[row] for row in rows) for n, v in fields.items()}
        return replace(self, **chosen)

    def joined(self, others: Sequence[Self]) -> Self:
        """The same for a batch of these samples and those of others, which are alike but for them."""
        parts = {name: [getattr(one, name) for one in (self, *others)] for name in self.per_sample}
        whole = {n: torch.cat(v) if isinstance(v[0], Tensor) else tuple(x for part in v for x in part) for n, v in parts.items()}
        return replace(self, **whole)

    @abstractmethod
    def fits(self, values: Tensor) -> bool:
        """Whether these values, batch first, are of its shape: values of a layer inside may have other places than the input."""

    @abstractmethod
    def whole(self) -> bool:
        """Whether its fields belong together, as those of a damaged file may not."""

    @abstractmethod
    def arrange(self, values: Tensor) -> Tensor:
        """One sample's values with shape (channel, height, width), a place for each thing; (channel, 1, length) in a row."""

    @abstractmethod
    def to_dict(self, heat: Tensor, sample: int) -> dict[str, Any]:
        """One sample as plain data, for JSON: every place with its name, what stands there, and its value.

        Arguments:
            heat: The values of that sample, arranged and summed over channels.
        """
