"""How far methods agree, as a table of numbers on tinted cells."""

from __future__ import annotations

from PIL import Image, ImageDraw

from pellucid.explanation.comparison import Agreement
from .palette import FAINT, INK, PAPER, Colour
from .text import font, paragraph, shorten, stack, width, write

ROW, LARGEST = 30, 64  # pixels
FULL: Colour = (120, 150, 150)  # behind a 1
WORDS = (
    "Above the diagonal the rank correlation of the values, place by place (1: the same order). "
    "Below it how far the regions for it overlap (1: the same places)."
)


def matrix(names: tuple[str, ...], pairs: tuple[Agreement, ...], wide: int) -> Image.Image:
    """Correlations above the diagonal, overlaps below; a line per method, a column per number of a method."""
    label = min(max(round(width(f"{len(names)}  {name}", 15)) for name in names) + 12, wide // 2)
    cell = min(LARGEST, (wide - label) // len(names))
    image = Image.new("RGB", (wide, ROW * (len(names) + 1)), PAPER)
    draw = ImageDraw.Draw(image)
    place = {name: number for number, name in enumerate(names)}
    for number, name in enumerate(names):
        write(image, (0, ROW * (number + 1) + 20), shorten(f"{number + 1}  {name}", 15, label - 8), 15)
        draw.text((label + cell * (number + 0.5), 20), str(number + 1), FAINT, font(14), anchor="ms")
        box(draw, label + cell * number, ROW * (number + 1), cell, "", PAPER)
    for pair in pairs:
        row, column = place[pair.first], place[pair.second]
        for value, down, right in ((pair.correlation, row, column), (pair.overlap, column, row)):
            words = "·" if value is None else f"{value:.2f}".replace("0.", ".", 1)
            box(draw, label + cell * right, ROW * (down + 1), cell, words, tint(value))
    return image


def box(draw: ImageDraw.ImageDraw, left: int, top: int, cell: int, words: str, fill: Colour) -> None:
    """One cell with its number."""
    draw.rectangle((left + 1, top + 1, left + cell - 2, top + ROW - 2), fill=fill)
    draw.text((left + cell / 2, top + 20), words, INK, font(14), anchor="ms")


def tint(value: float | None) -> Colour:
    """Paper for nothing in common, darker for more."""
    level = max(0.0, value or 0.0)
    red, green, blue = (round(246 + level * (full - 246)) for full in FULL)
    return red, green, blue


def agreement(names: tuple[str, ...], pairs: tuple[Agreement, ...], wide: int) -> Image.Image:
    """The table under its name, and how to read it."""
    parts = [paragraph("How far the methods agree", 15, wide, INK), matrix(names, pairs, wide), paragraph(WORDS, 14, wide, FAINT)]
    return stack(parts, gap=8)
