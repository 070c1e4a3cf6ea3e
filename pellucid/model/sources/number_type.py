"""`dtype=`: the type that a network's numbers are to have, for sources that make the network from a file."""

from __future__ import annotations

import math
from typing import Any

import torch

from pellucid.errors import ModelError

TYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
AS_STORED = "auto"


def as_number_type(dtype: Any) -> torch.dtype | None:
    """The type that is asked for, by name or as PyTorch has it; None: "auto", the one that the file has.

    Raises:
        ModelError: no network computes with numbers of that type.
    """
    if dtype == AS_STORED:
        return None
    found = TYPES.get(dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if found in TYPES.values():
        return found
    do = f"Name one of {', '.join(TYPES)}, or auto for that of the file."
    raise ModelError(f"dtype={dtype}", f"{dtype!r}", "networks compute with real numbers of these types", do)


def notes_on(dtype: torch.dtype) -> tuple[str, ...]:
    """What a reader has to know of numbers with few digits.

    Example:
        >>> notes_on(torch.bfloat16)
        ('The network computes in bfloat16: of every number 2 digits count.',)
    """
    digits = int(-math.log10(torch.finfo(dtype).eps))
    return (f"The network computes in {name_of(dtype)}: of every number {digits} digits count.",) if digits < 6 else ()


def name_of(dtype: torch.dtype) -> str:
    """What captions call it.

    Example:
        >>> name_of(torch.bfloat16)
        'bfloat16'
    """
    return str(dtype).removeprefix("torch.")
