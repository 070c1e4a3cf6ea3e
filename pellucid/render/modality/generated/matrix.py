"""The matrix of a generated text as a drawing: a line for every new token, a column for every token before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from pellucid.core.numbers import figure, with_sign
from ...parts.drawing import Drawing, Line, Mark, Rect, Words, fitted
from ...parts.palette import FAINT, HAIR, INK, Colour
from ...parts.text import width
from .layout import Layout

ROW, SINK, GAP = 24, 46, 14  # pixels: a line, a column of numbers, between parts
NARROW, WIDE = 15, 34  # of a column
LABEL, HEAD = 150, 108  # at the left and above, at most
MOST_LINES = 120
NOTHING: Colour = (246, 247, 248)  # a token that was read and got nothing
UNDER: Colour = (233, 235, 238)  # behind numbers that are kept off the scale


def matrix(shown: Layout, wide: int) -> Drawing:
    """The whole matrix, in bands of as many columns as are legible side by side."""
    left = 34 + min(LABEL, max(width(name, 14) for name in shown.rows)) + 10
    marks, top = list[Mark](), 0.0
    for columns in bands(shown, wide - left):
        head = names_high(shown, columns) + (40 if shown.source else 24)
        marks += band(shown, columns, left, top + head, wide)
        top += head + ROW * min(len(shown.rows), MOST_LINES) + GAP
    if len(shown.rows) > MOST_LINES:
        marks.append(Words(0, top + 14, f"The first {MOST_LINES} of {len(shown.rows)} new tokens are drawn.", 14, FAINT))
        top += 24
    return Drawing(wide, top, tuple(marks))


def bands(shown: Layout, room: float) -> list[list[int]]:
    """Columns that are drawn side by side."""
    parts: list[list[int]] = [[]]
    for column in shown.kept:
        if parts[-1] and taken(shown, [*parts[-1], column], NARROW) > room:
            parts.append([])
        parts[-1].append(column)
    return parts


def taken(shown: Layout, columns: list[int], cell: float) -> float:
    """How wide columns are, in pixels."""
    gaps = sum(gap(shown, before, column) for before, column in pairwise(columns))
    return gaps + sum(SINK if column in shown.sinks else cell for column in columns)


def gap(shown: Layout, before: int, column: int) -> float:
    """The room between two columns: between what an encoder reads and what is written, and behind numbers."""
    if shown.source and column == shown.source:
        return 2.0 * GAP
    return GAP * (before in shown.sinks and column not in shown.sinks)


def band(shown: Layout, columns: list[int], left: float, top: float, wide: float) -> list[Mark]:
    """Some columns of all lines.

    Arguments:
        left, top: Where the cells begin.
    """
    marks = list[Mark](lines(shown, left, top))
    free = wide - left - 4 - taken(shown, columns, 0.0)
    cell = min(WIDE, free / max(1, sum(column not in shown.sinks for column in columns)))
    for before, column in zip([None, *columns], columns, strict=False):
        left += 0.0 if before is None else gap(shown, before, column)
        marks += section(shown, columns, column, left, top)
        marks += off_scale(shown, column, left, top) if column in shown.sinks else cells(shown, column, left, top, cell)
        left += SINK if column in shown.sinks else cell
    return marks


def names_high(shown: Layout, columns: list[int]) -> float:
    """How high the names above some columns are, in pixels."""
    return max(width(fitted(shown.columns[column], 13, HEAD), 13) for column in columns)


def section(shown: Layout, columns: list[int], column: int, left: float, top: float) -> Iterator[Mark]:
    """Where another part of the text begins: its name, where an encoder reads one part; else a line before the new tokens."""
    if shown.source and column in (columns[0], shown.source):
        name = "read by the encoder" if column < shown.source else "written so far"
        yield Words(left + 2, top - names_high(shown, columns) - 16, name, 13, FAINT)
    if column == shown.first and not shown.source:
        yield Line(((left - 0.5, top - 4), (left - 0.5, top + ROW * min(len(shown.rows), MOST_LINES))), FAINT)


def lines(shown: Layout, left: float, top: float) -> Iterator[Mark]:
    """The new tokens at the left, numbered."""
    for row, name in enumerate(shown.rows[:MOST_LINES]):
        base = top + ROW * row + 17
        yield Words(22, base, str(row + 1), 12, FAINT, "r")
        yield Words(34, base, fitted(name, 14, left - 44), 14, INK)


def off_scale(shown: Layout, column: int, left: float, top: float) -> Iterator[Mark]:
    """A column of numbers."""
    yield heading(shown.columns[column], left + SINK / 2 + 4, top, FAINT)
    for row in range(min(len(shown.rows), MOST_LINES)):
        value = with_sign(shown.heat[row, column], signed=shown.signed)
        at = top + ROW * row
        yield Rect(
            left + 1, at + 1, left + SINK - 1, at + ROW - 1, UNDER, f"{shown.rows[row]} by {shown.columns[column]}: {value}"
        )
        yield Words(left + SINK / 2, at + 16, short(shown.heat[row, column], signed=shown.signed), 11, FAINT, "m")


def short(value: float, *, signed: bool) -> str:
    """A number in a few letters.

    Example:
        >>> short(-6.941, signed=True), short(123.4, signed=True), short(0.0123, signed=False)
        ('-6.9', '+123', '0.01')
    """
    size = abs(value)
    words = f"{size:.0f}" if size >= 100 else f"{size:.1f}" if size >= 1 else f"{size:.2f}" if size >= 0.005 else f"{size:.0e}"
    return words if not signed or not value else ("-" if value < 0 else "+") + words


def cells(shown: Layout, column: int, left: float, top: float, wide: float) -> Iterator[Mark]:
    """A column in the colours of its values; nothing where the token was not there yet."""
    new = column in shown.places
    yield heading(shown.columns[column], left + wide / 2 + 5, top, INK if not new else FAINT)
    drawn = shown.drawn
    for row, place in enumerate(shown.places[:MOST_LINES]):
        at = top + ROW * row
        if column == place:
            yield Rect(left + wide / 2 - 2, at + ROW / 2 - 2, left + wide / 2 + 2, at + ROW / 2 + 2, HAIR, "the token itself")
        elif column < place:
            strength = shown.strength(row, column)
            value = with_sign(shown.heat[row, column], signed=shown.signed)
            colour = drawn.palette.over(strength, NOTHING, signed=shown.signed)
            yield Rect(
                left + 1, at + 1, left + wide - 1, at + ROW - 1, colour, f"{shown.rows[row]} by {shown.columns[column]}: {value}"
            )


def heading(name: str, left: float, top: float, colour: Colour) -> Words:
    """The name of a column, read upward."""
    return Words(left, top - 6, fitted(name, 13, HEAD), 13, colour, "l", upward=True)


def scale_words(shown: Layout) -> str:
    """The scale, and what is kept off it."""
    drawn = shown.drawn
    words = drawn.scale.sentence(drawn.heat, signed=shown.signed)
    words = f"A line for every new token, a column for every token {'read' if shown.source else 'before it'}. {words}"
    left = len(shown.columns) - len(shown.kept)
    words += f" {left} tokens of the prompt that got least are not drawn." if left else ""
    if not shown.sinks:
        return words
    names = ", ".join(shown.columns[c] for c in shown.sinks)
    largest = figure(float(abs(shown.heat[:, list(shown.sinks)]).max()))
    return f"{words} Kept off the scale, and written as numbers: {names} (up to {largest} in size)."
