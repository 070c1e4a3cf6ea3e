"""The conversion of what users write as an imputer: a number, a tensor, a function, or one for each input by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pellucid.errors import InputError
from .imputer import Constant, Imputer, Own
from .multi_input import Each


def as_imputer(value: Any) -> Imputer:
    """The imputer that a user means.

    Arguments:
        given: A number, a tensor, a function of (x, gone), an imputer, or a mapping from names of inputs to any of these.

    Raises:
        InputError: it is none of them.
    """
    if hasattr(value, "prepare"):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (int, float, Tensor)):
        return Constant(value if isinstance(value, Tensor) else float(value))
    if isinstance(value, Mapping):
        return Each({name: as_imputer(one) for name, one in value.items()})
    if callable(value):
        return Own(value)
    raise InputError(
        f"imputer={value!r}", f"a {type(value).__name__}", "an imputer says what stands where something was taken away",
        "Pass a number, a tensor, a function (x, gone) -> x, or pl.perturb.blur().",
    )  # fmt: skip
