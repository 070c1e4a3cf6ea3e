"""Marked text as pixels, in the letters of the font that comes with Pillow; the page and the SVG have all of them."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageDraw

from pellucid.explanation.explanation import Explanation
from ...parts.legend import colour_bar
from ...parts.map import Map
from ...parts.palette import AMBER, FAINT, INK, PAPER
from ...parts.text import font, paragraph, plain, stack, width
from .runs import UNREAD, Run, ground, leftward, legible, ordered, rows, runs, sink_runs
from .svg import PALE

SIZE, STEP = 19, 31  # pixels: of letters, from line to line
MOST_LINES = 120


def image(e: Explanation, drawn: Map, wide: int) -> Image.Image:
    """The lines of the text over its scale; of very long texts the first `MOST_LINES`."""
    marked = runs(e, drawn)
    spelled = spelled_runs(marked)
    lines = rows(spelled, wide - 4, lambda words: width(words, SIZE))
    parts = [page(lines[:MOST_LINES], drawn, wide, from_right=leftward(marked))]
    aside = spelled_runs(sink_runs(e, drawn))
    parts += [page(rows(aside, wide - 4, lambda words: width(words, SIZE)), drawn, wide, from_right=False)] if aside else []
    if len(lines) > MOST_LINES:
        left = f"{len(lines) - MOST_LINES} more lines are not drawn; the page (.html) has all of them."
        parts.append(paragraph(left, 14, wide, AMBER))
    if any("?" in now.text and "?" not in before.text for now, before in zip(spelled, marked, strict=True)):
        unknown = "? stands for letters that this picture has no font for; the page (.html) has them."
        parts.append(paragraph(unknown, 14, wide, FAINT))
    if not drawn.empty:
        scale = paragraph(drawn.scale.sentence(drawn.scaled, signed=drawn.signed), 14, wide, FAINT)
        parts.append(stack([colour_bar(drawn, min(wide, 448)), scale], gap=8))
    return stack(parts, gap=14)


def spelled_runs(marked: list[Run]) -> list[Run]:
    """Runs in the letters that the font has."""
    return [replace(run, text="\n".join(map(plain, run.text.split("\n")))) if run.text.strip() else run for run in marked]


def page(lines: list[list[Run]], drawn: Map, wide: int, *, from_right: bool) -> Image.Image:
    """The lines on paper."""
    sheet = Image.new("RGB", (wide, STEP * len(lines)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        line_runs, top = ordered(line, leftward=from_right), STEP * number
        left = wide - sum(width(run.text, SIZE) for run in line_runs) if from_right else 0.0
        for run in line_runs:
            across = width(run.text, SIZE)
            colour = PALE if run.kind == UNREAD else INK
            if run.value is not None:
                back = ground(run, drawn)
                draw.rounded_rectangle((left, top, left + across, top + STEP - 6), 3, back, PALE if run.outlined else None)
                colour = legible(back)
            draw.text((left, top + SIZE), plain(run.text), colour, font(SIZE), anchor="ls")
            left += across
    return sheet
