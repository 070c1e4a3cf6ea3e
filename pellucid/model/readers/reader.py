"""Reader: the protocol of what turns raw data into a model's input; and a description of any of them, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from ..modality.base import Modality

KINDS = {"Preprocess": "pictures", "Columns": "rows", "Signal": "series", "Spectrogram": "spectrograms", "Text": "texts"}


class Reader(Protocol):
    """How raw data become a model's input: `Columns`, `Signal`, `Text`, or your own, as `Model.preprocess`.

    Pictures have a `Preprocess`, which is called with one, and has no `read`.
    """

    def read(self, data: Any) -> tuple[Tensor, Modality]:
        """The data as a batch on the CPU, and what its entries are.

        Raises:
            InputError: they cannot be read.
        """

    def modality(self, x: Tensor) -> Modality | None:
        """What the entries of a batch are that was passed as a tensor; None where it is not of this kind."""


def describe(how: Any) -> tuple[str, str]:
    """What is read, and how: ("pictures", "short side to 256, ...").

    Example:
        >>> describe(None)
        ('pictures', 'not known how they become the input (preprocess=; --size, --resize, --mean, --std)')
    """
    if how is None:
        return "pictures", "not known how they become the input (preprocess=; --size, --resize, --mean, --std)"
    if isinstance(how, Mapping):
        return "inputs", "; ".join(f"{name}: {describe(one)[1]}" for name, one in how.items())
    return KINDS.get(type(how).__name__, "inputs"), str(how)
