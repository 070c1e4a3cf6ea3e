"""The chart of a row: names and cells at the left, bars on one axis at the right, numbers at their ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...parts.drawing import Drawing, Line, Mark, Rect, Words, colour_key, fitted
from ...parts.map import Map
from ...parts.palette import FAINT, HAIR, INK, Colour
from ...parts.steps import END, LOST, REST, Step
from ...parts.text import width
from ...parts.ticks import spread
from ...parts.time_axis import ticks

ROW, BAR, FOOT, SIZE = 30, 18, 46, 15  # pixels
GREY: Colour = (150, 154, 161)
NUMBER = 74  # pixels: room for a number beside a bar
LEFT = 0.46  # share of the width that names and cells may take


def drawing(steps: Sequence[Step], drawn: Map, wide: int) -> Drawing:
    """Bars below one another, each from where the one before ended."""
    names = min(round(LEFT * wide), 24 + round(max(width(step.name, SIZE) + width(step.cell, SIZE) + 18 for step in steps)))
    low, high = bounds(steps)
    number = min(NUMBER, round(0.13 * wide))
    left, right = names + number, wide - number

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    high_px = ROW * len(steps) + FOOT
    marks: list[Mark] = [Line(((at(tick), 4), (at(tick), high_px - FOOT + 4)), HAIR) for tick in ticks(low, high)]
    if low <= 0 <= high:
        marks.append(Line(((at(0), 4), (at(0), high_px - FOOT + 4)), FAINT))
    for number, step in enumerate(steps):
        marks += row(step, ROW * number, names, at, drawn)
        if number + 1 < len(steps) and (step.kind == END or steps[number + 1].kind == END or steps[number + 1].start):
            down = ROW * number + (ROW + BAR) / 2
            marks.append(Line(((at(step.stop), down), (at(step.stop), down + ROW - BAR)), GREY))
    base = high_px - FOOT + 20
    marks += [Words(at(tick), base, f"{tick:.6g}", 13, FAINT, "m") for tick in spread(ticks(low, high), at)]
    return Drawing(wide, high_px, (*marks, *key(steps, drawn, high_px - 6)))


def row(step: Step, top: float, names: float, at: Callable[[float], float], drawn: Map) -> list[Mark]:
    """One bar with its words."""
    base, upper = top + ROW / 2 + 5, top + (ROW - BAR) / 2
    cell = width(step.cell, SIZE)
    name = fitted(step.name, SIZE, names - cell - 28 if step.cell else names - 10)
    marks: list[Mark] = [Words(0, base, name, SIZE, INK if step.kind != REST else FAINT)]
    if step.cell:
        marks.append(Words(names - 10, base, fitted(step.cell, SIZE, names * 0.6), SIZE, FAINT, "r"))
    start, stop = sorted((at(step.start), at(step.stop)))
    if step.kind == END:
        marks.append(Line(((stop, upper - 3), (stop, upper + BAR + 3)), INK, 2.5))
        marks.append(Words(stop + 8, base, step.label(), SIZE, INK))
        return marks
    fill = colour(step, drawn)
    tooltip = f"{step.name} {step.cell}".strip() + f": {step.label(signed=drawn.signed)}"
    marks.append(Rect(start, upper, max(stop, start + 1), upper + BAR, fill, tooltip))
    behind = step.value >= 0
    marks.append(Words(stop + 6 if behind else start - 6, base, step.label(signed=drawn.signed), 14, INK, "l" if behind else "r"))
    return marks


def colour(step: Step, drawn: Map) -> Colour:
    """Of evidence for, against, or of what is neither."""
    if step.kind == LOST or drawn.empty:
        return GREY
    full = drawn.colour(step.value or 1.0)
    if step.kind != REST:
        return full
    red, green, blue = ((level + 255) // 2 for level in full)  # half way to paper
    return red, green, blue


def key(steps: Sequence[Step], drawn: Map, base: float) -> list[Mark]:
    """What the colours mean."""
    kinds = [(drawn.colour(level), text) for level, text in drawn.ends()]
    if any(step.kind == LOST for step in steps):
        kinds.append((GREY, "lost on the way: reached no column"))
    return colour_key(kinds, base)


def bounds(steps: Sequence[Step]) -> tuple[float, float]:
    """From the lowest to the highest end of a bar; zero is inside where bars begin there."""
    ends = [end for step in steps for end in (step.start, step.stop)]
    low, high = min(ends), max(ends)
    if not math.isfinite(low) or not math.isfinite(high):
        return 0.0, 1.0
    return (low, high) if high > low else (low - 1, high + 1)
