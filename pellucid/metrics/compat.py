"""Compat: whose variant of a metric is asked for, where it is another quantity than the published one."""

from __future__ import annotations

from typing import Literal

from pellucid.errors import MethodError

Compat = Literal["quantus-0.6"]


def known_compat(name: str, compat: str | None) -> None:
    """Refuse to be compatible with what we are not.

    Raises:
        MethodError: it is neither None nor "quantus-0.6".
    """
    if compat not in (None, "quantus-0.6"):
        raise MethodError(
            f"{name} with compat={compat!r}", "a library whose variant is not here", "the published definition is the default",
            'Leave it out, or give "quantus-0.6".',
        )  # fmt: skip
