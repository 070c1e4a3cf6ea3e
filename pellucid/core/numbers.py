"""Numbers as captions print them."""

from __future__ import annotations

import math


def decimals(*values: float) -> int:
    """How many decimals show three figures of the largest value, and never less than two of them.

    Example:
        >>> decimals(11.42, 0.24), decimals(0.0312)
        (2, 4)
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return max(2, 2 - math.floor(math.log10(largest))) if largest else 2


def figure(value: float, places: int | None = None) -> str:
    """A number as a caption prints it.

    Example:
        >>> figure(11.4231), figure(0.03124), figure(-4.1e-9), figure(0.24, 2), figure(-0.001, 2)
        ('11.42', '0.0312', '-4.1e-09', '0.24', '0.00')
    """
    places = decimals(value) if places is None else places
    if places > 6 or abs(value) >= 1e6 or not math.isfinite(value):
        return f"{value:.3g}"
    return f"{value:.{places}f}" if shows(value, places) else f"{0:.{places}f}"


def with_sign(value: float, *, signed: bool = True) -> str:
    """A number as a caption prints it, with a plus where its sign counts.

    Example:
        >>> with_sign(0.31), with_sign(-2.0), with_sign(0.31, signed=False)
        ('+0.310', '-2.00', '0.310')
    """
    return f"{'+' if signed and value > 0 else ''}{figure(value)}"


def percent(share: float, places: int = 1) -> str:
    """A share in [0, 1] as captions and tables print it; what is not nothing is never printed as nothing.

    Example:
        >>> percent(0.382), percent(0.0), percent(2e-6), percent(0.382, 0)
        ('38.2 %', '0.0 %', '< 0.1 %', '38 %')
    """
    return f"< {10.0**-places:.{places}f} %" if 0 < 100 * share < 0.5 * 10.0**-places else f"{100 * share:.{places}f} %"


def shows(value: float, places: int) -> bool:
    """Whether `value` is more than a row of zeros when printed with `places` decimals."""
    return not abs(value) < 0.5 * 10.0**-places
