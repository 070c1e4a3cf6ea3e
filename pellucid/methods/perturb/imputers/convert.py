"""What users write as an imputer, made one: a number, a tensor, a function, or one for each input by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pellucid.errors import InputError
from .imputer import Constant, Imputer, Own
from .multi_input import Each


def as_imputer(given: Any) -> Imputer:
    """The imputer that a user means.

    Arguments:
        given: A number, a tensor, a function of (x, gone), an imputer, or a mapping from names of inputs to any of these.

    Raises:
        InputError: it is none of them.
    """
    if hasattr(given, "prepare"):
        return given  # type: ignore[no-any-return]
    if isinstance(given, (int, float, Tensor)):
        return Constant(given if isinstance(given, Tensor) else float(given))
    if isinstance(given, Mapping):
        return Each({name: as_imputer(one) for name, one in given.items()})
    if callable(given):
        return Own(given)
    raise InputError(
        f"imputer={given!r}", f"a {type(given).__name__}", "an imputer says what stands where something was taken away",
        "Pass a number, a tensor, a function (x, gone) -> x, or pl.perturb.blur().",
    )  # fmt: skip
