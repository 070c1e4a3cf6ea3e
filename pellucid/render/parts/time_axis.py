"""What drawings over time share: their margins, and seconds along the foot."""

from __future__ import annotations

import math

from .drawing import Line, Mark, Words
from .palette import FAINT

LEFT, RIGHT = 92, 10  # pixels beside the panels
FOOT = 44  # pixels below them


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, three to seven of them.

    Example:
        >>> ticks(-0.3, 2.1)
        [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    raw = (high - low) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    return [round(n * step, 12) + 0.0 for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def time_axis(end_s: float, top: float, wide: int) -> list[Mark]:
    """Seconds from 0 to the end."""
    marks: list[Mark] = []
    for tick in ticks(0.0, end_s):
        x = LEFT + tick / end_s * (wide - LEFT - RIGHT)
        marks += [Line(((x, top), (x, top + 5)), FAINT), Words(x, top + 20, f"{tick:g}", 13, FAINT, "m")]
    return [*marks, Words(wide - RIGHT, top + 34, "seconds", 13, FAINT, "r")]


def frame(top: float, tall: float, wide: int) -> tuple[tuple[float, float], ...]:
    """The corners of a panel, all around."""
    right = wide - RIGHT
    return ((LEFT, top), (right, top), (right, top + tall), (LEFT, top + tall), (LEFT, top))
