"""The check that inputs hold no NaN and no infinity."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.errors import InputError


def check(x: Tensor) -> None:
    """Refuse an input that holds NaN or infinity.

    Raises:
        InputError: it does.
    """
    if not x.is_floating_point() or bool(torch.isfinite(x).all()):
        return
    bad = int((~torch.isfinite(x)).sum())
    raise InputError(
        "An explanation of this input", f"{bad} entries of {x.numel()} that are NaN or infinite",
        "nothing can be computed from them", "Clean the input first: torch.nan_to_num, or see where they come from.",
    )  # fmt: skip
