"""Marked text as SVG: real letters, each run on a box of its colour and fitted into it, whatever font there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from pellucid.core.numbers import with_sign
from pellucid.explanation.explanation import Explanation
from ...parts.cells import cells
from ...parts.map import Map
from ...parts.palette import FAINT, INK, Colour, web
from .runs import UNREAD, Run, ground, leftward, legible, ordered, rows, runs, sink_runs, tooltip

SIZE, CELL, STEP = 16, 9.6, 28  # pixels: of letters, of a column, from line to line
PALE: Colour = (169, 173, 179)
CURSIVE = re.compile("[\u0590-\u109f\u1780-\u17ff]")  # scripts whose letters hang together: room between them would part them


def svg(e: Explanation, drawn: Map, wide: int) -> tuple[str, float]:
    """The lines of the text, then its scale; and how high they are, in pixels."""
    marked = runs(e, drawn)
    lines, from_right = rows(marked, wide // CELL), leftward(marked)
    parts = [part for number, line in enumerate(lines) for part in row(line, number, drawn, wide, from_right=from_right)]
    aside = rows(sink_runs(e, drawn), wide // CELL) if drawn.sinks else []
    parts += [part for n, line in enumerate(aside, len(lines)) for part in row(line, n, drawn, wide, from_right=False)]
    lines += aside
    below = STEP * len(lines) + 14
    if not drawn.empty:
        parts += legend(drawn, below)
        below += 62
    return "\n".join(parts), below


def row(line: list[Run], number: int, drawn: Map, wide: int, *, from_right: bool) -> Iterator[str]:
    """One line, from left to right; a text that reads leftward stands at the right margin."""
    line_runs = ordered(line, leftward=from_right)
    across = sum(cells(run.text) for run in line_runs) * CELL
    left, top = (wide - across if from_right else 0.0), STEP * number
    for run in line_runs:
        width = cells(run.text) * CELL
        if run.value is not None:
            yield box(run, left, top, width, drawn)
        if run.text.strip():
            yield letters(run, left, top + SIZE + 3, width, drawn)
        left += width


def box(run: Run, left: float, top: float, width: float, drawn: Map) -> str:
    """The ground of a token, which says its value when it is pointed at."""
    border = f' stroke="{web(PALE)}"' if run.outlined else ""
    place = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{STEP - 5}" rx="3"'
    return f'<rect {place} fill="{web(ground(run, drawn))}"{border}><title>{escape(tooltip(run, drawn))}</title></rect>'


def letters(run: Run, left: float, base: float, width: float, drawn: Map) -> str:
    """The letters of a run, stretched to the width that was counted for them."""
    colour = PALE if run.kind == UNREAD else INK if run.value is None else legible(ground(run, drawn))
    slant = ' font-style="italic"' if run.outlined else ""
    stretched = "spacingAndGlyphs" if CURSIVE.search(run.text) else "spacing"
    fitted = f'textLength="{width:.1f}" lengthAdjust="{stretched}"'
    fitted += ' direction="rtl" text-anchor="end" unicode-bidi="embed"' if run.leftward else ""
    words = f'<text x="{left:.1f}" y="{base}" fill="{web(colour)}" {fitted}{slant} xml:space="preserve">{escape(run.text)}</text>'
    return words if run.value is None else words.replace("<text ", '<text pointer-events="none" ', 1)


def legend(drawn: Map, top: float) -> list[str]:
    """What the colours mean, the scale, and what it clips."""
    parts, left = [], 0.0
    for level, words in drawn.ends():
        number = with_sign(level * drawn.scale.limit, signed=drawn.signed)
        run = Run(f" {words} {number} ", level * drawn.scale.limit, level, "text", words)
        width = cells(run.text) * CELL * 0.85
        parts += [box(run, left, round(top), width, drawn), letters(run, left, top + SIZE + 2, width, drawn)]
        left += width + 12
    small = f'<text x="0" y="{top + 50:.0f}" fill="{web(FAINT)}" font-family="sans-serif" font-size="13">'
    return [*parts, f"{small}{escape(drawn.scale.sentence(drawn.scaled, signed=drawn.signed))}</text>"]
