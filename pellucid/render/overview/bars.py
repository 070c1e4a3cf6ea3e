"""Bars with intervals: names and notes at the left, numbers at their ends."""

from __future__ import annotations

from itertools import chain

import numpy as np

from pellucid.core.numbers import figure, with_sign
from pellucid.explanation.overview.chart import Bar, Bars
from ..parts.drawing import Line, Mark, Rect, Words, fitted
from ..parts.palette import FAINT, INK, PAPER, RED_BLUE
from ..parts.text import width
from .axis import Axis

ROW, BAR, SIZE, FOOT, NUMBER = 28, 16, 15, 46, 70  # pixels
STRENGTH = 0.7  # of the colour of a bar: its interval is seen on it
NAMES = 0.42  # share of the width that names and notes may take


def bars(data: Bars, wide: int) -> tuple[list[Mark], float]:
    """The bars over their axis."""
    noted = max((width(bar.note, 13) for bar in data.bars), default=0.0)
    names = min(round(NAMES * wide), round(max(width(bar.name, SIZE) for bar in data.bars) + noted + 28))
    ends = chain.from_iterable(bar.interval for bar in data.bars)
    room = NUMBER if data.signed else 0
    axis, bottom = Axis.over(ends, names + room, wide - NUMBER), ROW * len(data.bars) + 4
    marks: list[Mark] = axis.below(2, bottom, data.axis)
    for place, bar in enumerate(data.bars):
        marks += one_bar(bar, ROW * place, names, noted, axis, signed=data.signed)
    return marks, bottom + FOOT


def one_bar(bar: Bar, top: float, names: float, noted: float, axis: Axis, *, signed: bool) -> list[Mark]:
    """A bar from zero to the mean, and a thin line over its interval."""
    base, upper, middle = top + ROW / 2 + 5, top + (ROW - BAR) / 2, top + ROW / 2
    mean, low, high = bar.interval
    start, stop = sorted((axis.at(0.0), axis.at(mean)))
    fill = RED_BLUE.over(STRENGTH if mean >= 0 or not signed else -STRENGTH, PAPER, signed=signed)
    known = f" (95 % interval {figure(low)} to {figure(high)})" if np.isfinite(low) else ""
    tooltip = f"{bar.name}: {with_sign(mean, signed=signed)}{known}" + (f", {bar.note}" if bar.note else "")
    marks: list[Mark] = [
        Words(0, base, fitted(bar.name, SIZE, names - noted - 24), SIZE, INK),
        Rect(start, upper, max(stop, start + 1), upper + BAR, fill, tooltip),
    ]
    marks += [Words(names - 12, base, bar.note, 13, FAINT, "r")] if bar.note else []
    left, right = (axis.at(low), axis.at(high)) if np.isfinite(low) else (axis.at(mean), axis.at(mean))
    if np.isfinite(low):
        marks += [Line(((x, middle - 4), (x, middle + 4)), INK) for x in (left, right)]
        marks.append(Line(((left, middle), (right, middle)), INK))
    words = with_sign(mean, signed=signed)
    if mean < 0:
        return [*marks, Words(min(start, left) - 6, base, words, 13, INK, "r")]
    return [*marks, Words(max(stop, right) + 6, base, words, 13, INK)]
