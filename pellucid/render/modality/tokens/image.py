"""Marked text as pixels."""

from __future__ import annotations

from PIL import Image, ImageDraw

from pellucid.explanation.explanation import Explanation
from ...parts.legend import colour_bar
from ...parts.map import Map
from ...parts.palette import AMBER, FAINT, INK, PAPER
from ...parts.text import boxes_said, paragraph, stack, width, write
from .runs import UNREAD, Run, ground, leftward, legible, ordered, rows, runs, sink_runs
from .svg import PALE

SIZE, STEP = 19, 31  # pixels: of letters, from line to line
MOST_LINES = 120


def image(e: Explanation, drawn: Map, wide: int) -> Image.Image:
    """The lines of the text over its scale; of very long texts the first `MOST_LINES`."""
    marked = runs(e, drawn)
    lines = rows(marked, wide - 4, lambda words: width(words, SIZE))
    parts = [page(lines[:MOST_LINES], drawn, wide, from_right=leftward(marked))]
    aside = sink_runs(e, drawn)
    parts += [page(rows(aside, wide - 4, lambda words: width(words, SIZE)), drawn, wide, from_right=False)] if aside else []
    if len(lines) > MOST_LINES:
        left = f"{len(lines) - MOST_LINES} more lines are not drawn; the page (.html) has all of them."
        parts.append(paragraph(left, 14, wide, AMBER))
    parts += boxes_said((run.text for line in lines[:MOST_LINES] for run in line), wide)
    if not drawn.empty:
        scale = paragraph(drawn.scale.sentence(drawn.scaled, signed=drawn.signed), 14, wide, FAINT)
        parts.append(stack([colour_bar(drawn, min(wide, 448)), scale], gap=8))
    return stack(parts, gap=14)


def page(lines: list[list[Run]], drawn: Map, wide: int, *, from_right: bool) -> Image.Image:
    """The lines on paper."""
    sheet = Image.new("RGB", (wide, STEP * len(lines)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        line_runs, top = ordered(line, leftward=from_right), STEP * number
        left = wide - sum(width(run.text, SIZE, run.leftward) for run in line_runs) if from_right else 0.0
        for run in line_runs:
            across = width(run.text, SIZE, run.leftward)
            colour = PALE if run.kind == UNREAD else INK
            if run.value is not None:
                back = ground(run, drawn)
                draw.rounded_rectangle((left, top, left + across, top + STEP - 6), 3, back, PALE if run.outlined else None)
                colour = legible(back)
            write(sheet, (left, top + SIZE), run.text, SIZE, colour, base=run.leftward)
            left += across
    return sheet
