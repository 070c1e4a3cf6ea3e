"""The target that every sample brings along: its true class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.errors import TargetError


@dataclass(frozen=True)
class TrueClass:
    """The class that a data loader, or the folder it is in, says a sample is of: the target `pl.true_class` of many samples.

    Example:
        >>> TrueClass().of([3, "tabby"])
        [3, 'tabby']
    """

    def of(self, labels: Sequence[Any]) -> list[Any]:
        """The classes of these samples.

        Raises:
            TargetError: a sample has none.
        """
        if not labels or any(not isinstance(label, (int, str)) or isinstance(label, bool) for label in labels):
            raise TargetError(
                "pl.true_class", "samples that do not say what they are", "the true class is known only where the data name it",
                "Give a data loader of (inputs, labels), or a folder with a folder for each class; or a target of your own.",
            )  # fmt: skip
        return list(labels)


true_class = TrueClass()
