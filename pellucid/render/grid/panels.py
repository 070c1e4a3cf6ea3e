"""Small panels: one sample, so many pixels wide, without a legend of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from pellucid.core.numbers import with_sign
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Series
from ..modality.painters import painter
from ..modality.series.chart import Strips, panel as channel_panel, strips
from ..modality.tokens.image import SIZE as LETTERS, STEP, page as text_page
from ..modality.tokens.runs import leftward, rows, runs
from ..modality.tokens.svg import CELL, STEP as SVG_STEP, row as text_row
from ..parts.drawing import Fragment, Line, Mark, Raster, Rect, Words, fitted
from ..parts.map import Map, prepare
from ..parts.palette import FAINT, HAIR, INK
from ..parts.panel import card, ground
from ..parts.scale import Scale, shared
from ..parts.steps import REST, bars as table_bars
from ..parts.text import stack, width
from ..parts.view import Shown

Panel = tuple[list[Mark], float]
COLUMNS, CHANNELS, LINES = 5, 3, 6  # of a row, of a series, of a text, that a panel shows
ROW, BAR, TALL, CARD = 22, 12, 64, 96  # pixels: of a line of a table and its bar, of a channel, of a card
BARS_HIGH, MOST_BARS = 96, 120


def wide_panels(e: Explanation) -> bool:
    """Whether panels need room for words or time: of everything but maps and bare rows of numbers."""
    return e.subject is not None or bool(e.parts)


def share_scale(e: Explanation) -> Scale:
    """One scale for all samples: of series that of their strips, which are what is painted."""
    if isinstance(e.subject, Series):
        return shared([strips(one).values for one in e if not one.doubt()], percentile=100.0)
    return prepare(e, scale="shared").scale


def panel(e: Explanation, drawn: Map, shown: Shown, side: int) -> Panel:
    """One sample."""
    if drawn.empty and (e.subject is None or e.subject.kind != "tokens"):
        return of_image(card(drawn.card, ground(drawn.picture, (min(side, CARD if drawn.flat else side), side))), side)
    kind = "" if e.subject is None else e.subject.kind
    if kind in SMALL:
        return SMALL[kind](e, drawn, side)
    paint = painter(e).image
    if paint is not None:
        return of_image(paint(e, drawn, side), side)
    if drawn.flat:
        return bare_row(drawn, side)
    height, wide = drawn.heat.shape if drawn.picture is None else drawn.picture.shape[:2]
    zoom = side / max(height, wide)
    size = max(1, round(height * zoom)), max(1, round(wide * zoom))
    regions = shown.find(e)
    return of_image(stack([view.paint(drawn, regions, size) for view in shown.views()], gap=6), side)


def of_image(image: Image.Image, side: int) -> Panel:
    """Pixels, made smaller where they are wider than the panel."""
    wide = min(side, image.width)
    high = image.height * wide / image.width
    return [Raster(0, 0, wide, high, np.asarray(image))], high


def table(e: Explanation, drawn: Map, side: int) -> Panel:
    """The strongest columns as bars from zero, on the axis that all panels share."""
    steps = table_bars(e, COLUMNS)
    names = round(0.5 * side)
    zero, reach = names + (side - names) * (0.5 if drawn.signed else 0.0), (side - names) * (0.5 if drawn.signed else 1.0)
    reach -= 56  # room for a number
    marks: list[Mark] = [Line(((zero, 0), (zero, ROW * len(steps))), HAIR)]
    for place, step in enumerate(steps):
        base, middle = ROW * place + 15, ROW * place + ROW / 2
        cell = width(step.cell, 13)
        ink = INK if step.kind != REST else FAINT
        marks.append(Words(0, base, fitted(step.name, 13, names - cell - 24), 13, ink))
        marks += [Words(names - 12, base, fitted(step.cell, 13, names * 0.6), 13, FAINT, "r")] if step.cell else []
        end = zero + reach * float(drawn.scale.strength(np.array(step.value)))
        left, right = sorted((zero, end))
        strength = (0.45 if step.kind == REST else 1.0) * (1 if step.value >= 0 else -1)
        fill = drawn.on_paper(strength)
        marks.append(Rect(left, middle - BAR / 2, max(right, left + 1), middle + BAR / 2, fill, f"{step.name} {step.cell}"))
        behind = step.value >= 0
        place_x = max(left, right) + 5 if behind else left - 5
        marks.append(Words(place_x, base, with_sign(step.value, signed=drawn.signed), 12, INK, "l" if behind else "r"))
    return marks, float(ROW * len(steps))


def series(e: Explanation, drawn: Map, side: int) -> Panel:
    """The strongest channels as curves on their strips, and when they end."""
    curves = e.subject
    assert isinstance(curves, Series)
    own = strips(e)
    pooled = Strips(own.edges, own.values, drawn.scale)
    best = sorted(np.argsort(-np.abs(own.values).sum(1), kind="stable")[:CHANNELS].tolist())
    marks: list[Mark] = []
    for place, channel in enumerate(best):
        marks += channel_panel(curves, channel, pooled, drawn, place * (TALL + 6), TALL, side)
    below = len(best) * (TALL + 6)
    end = f"{curves.seconds(curves.curves.shape[2]):.4g} s"
    more = len(own.values) - len(best)
    left = [Words(0, below + 10, f"{more} more channels", 12, FAINT)] if more else []
    return [*marks, *left, Words(side - 10, below + 10, end, 12, FAINT, "r")], below + 16.0


def tokens(e: Explanation, drawn: Map, side: int) -> Panel:
    """The first lines of the text."""
    marked = runs(e, drawn)
    from_right = leftward(marked)
    lines = rows(marked, side - 4, lambda words: width(words, LETTERS))
    image = text_page(lines[:LINES], drawn, side, from_right=from_right)
    narrow = rows(marked, side // CELL)
    parts = [part for n, line in enumerate(narrow[:LINES]) for part in text_row(line, n, drawn, side, from_right=from_right)]
    high = max(STEP * min(LINES, len(lines)), SVG_STEP * min(LINES, len(narrow)))
    more = [Words(0, high + 12, "the text goes on", 12, FAINT)] if len(lines) > LINES else []
    return [Fragment(0, 0, image, "\n".join(parts)), *more], float(high + (18 if more else 0))


def bare_row(drawn: Map, side: int) -> Panel:
    """Numbers without names as bars on the axis that all panels share; of many, the largest of each stretch."""
    row = drawn.strength[0]
    parts = np.array_split(row, min(len(row), MOST_BARS))
    step = side / len(parts)
    zero, reach = (BARS_HIGH / 2, BARS_HIGH / 2 - 2) if drawn.signed else (BARS_HIGH - 1.0, BARS_HIGH - 4.0)
    marks: list[Mark] = [Line(((0, zero), (side, zero)), HAIR)]
    for n, part in enumerate(parts):
        for level in filter(None, (max(0.0, float(part.max())), min(0.0, float(part.min())))):
            ends = sorted((zero, zero - reach * level))
            fill = drawn.on_paper(float(np.sign(level)))
            marks.append(Rect((n + 0.1) * step, ends[0], (n + 0.9) * step, ends[1], fill))
    return marks, float(BARS_HIGH)


SMALL: dict[str, Callable[[Explanation, Map, int], Panel]] = {"table": table, "curves": series, "tokens": tokens}
