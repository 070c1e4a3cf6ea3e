"""The chart of a row in a terminal: bars in 24-bit colour, or of signs."""

from __future__ import annotations

from collections.abc import Sequence

from ...parts.cells import cells, cut, padded
from ...parts.map import Map
from ...parts.palette import RESET, ink
from ...parts.steps import END, LOST, Step
from .chart import bounds, colour as tone


def lines(steps: Sequence[Step], drawn: Map, width: int, *, colour: bool) -> list[str]:
    """A line per bar: name, cell, bar, number."""
    numbers = max(len(step.label(signed=drawn.signed)) for step in steps)
    entries = min(18, max(cells(step.cell) for step in steps))
    names = min(max(cells(step.name) for step in steps), max(10, width // 3))
    room = max(10, width - names - entries - numbers - 4)
    low, high = bounds(steps)
    made = []
    for step in steps:
        start, stop = sorted(round((end - low) / (high - low) * (room - 1)) for end in (step.start, step.stop))
        bar = " " * start + painted(step, stop - start + 1, drawn, colour=colour) + " " * (room - 1 - stop)
        head = f"{padded(cut(step.name, names), names)} {padded(cut(step.cell, entries), entries, right=True)}"
        made.append(f"{head} {bar} {step.label(signed=drawn.signed):>{numbers}}".rstrip())
    return made


def painted(step: Step, length: int, drawn: Map, *, colour: bool) -> str:
    """The bar itself."""
    if step.kind == END:
        return " " * (length - 1) + "|"
    if colour:
        return f"{ink(tone(step, drawn))}{'█' * length}{RESET}"
    sign = "." if step.kind == LOST else "-" if step.value < 0 else "+"
    return sign * length
