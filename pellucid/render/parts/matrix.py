"""How far methods agree, as a table of numbers on tinted cells."""

from __future__ import annotations

from PIL import Image, ImageDraw

from pellucid.explanation.comparison import Agreement
from .palette import FAINT, INK, PAPER, Colour
from .text import font, paragraph, shorten, stack, width, write

ROW, LARGEST, TALLEST = 30, 96, 64  # pixels: a row at least, a cell and a row at most
FULL: Colour = (120, 150, 150)  # behind a 1
WORDS = (
    "Above the diagonal: rank correlation of the values, place by place (1: the same order). "
    "Below the diagonal: overlap of the regions in favour (1: the same places)."
)


def matrix(names: tuple[str, ...], pairs: tuple[Agreement, ...], wide: int, high: int = 0) -> Image.Image:
    """Correlations above the diagonal, overlaps below; a line per method, a column per number of a method.

    Arguments:
        high: Pixels that its rows may fill.
    """
    label = min(max(round(width(f"{len(names)}  {name}", 15)) for name in names) + 12, wide // 2)
    cell = min(LARGEST, (wide - label) // len(names))
    row_px = min(TALLEST, max(ROW, (high - ROW) // len(names)))
    image = Image.new("RGB", (wide, ROW + row_px * len(names)), PAPER)
    draw = ImageDraw.Draw(image)
    place = {name: number for number, name in enumerate(names)}
    for number, name in enumerate(names):
        top = ROW + row_px * number
        write(image, (0, top + row_px / 2 + 5), shorten(f"{number + 1}  {name}", 15, label - 8), 15)
        draw.text((label + cell * (number + 0.5), 20), str(number + 1), FAINT, font(14), anchor="ms")
    for pair in pairs:
        row, column = place[pair.first], place[pair.second]
        for value, down, right in ((pair.correlation, row, column), (pair.overlap, column, row)):
            words = "·" if value is None else f"{value:.2f}".replace("0.", ".", 1)
            box(draw, (label + cell * right, ROW + row_px * down, cell, row_px), words, tint(value))
    return image


def box(draw: ImageDraw.ImageDraw, place: tuple[int, int, int, int], words: str, fill: Colour) -> None:
    """One cell (left, top, width, height) with its number."""
    left, top, wide, high = place
    draw.rectangle((left + 1, top + 1, left + wide - 2, top + high - 2), fill=fill)
    draw.text((left + wide / 2, top + high / 2 + 5), words, INK, font(14), anchor="ms")


def tint(value: float | None) -> Colour:
    """Paper for nothing in common, darker for more."""
    level = max(0.0, value or 0.0)
    red, green, blue = (round(246 + level * (full - 246)) for full in FULL)
    return red, green, blue


def agreement(
    names: tuple[str, ...], pairs: tuple[Agreement, ...], wide: int, high: int = 0, *, headed: bool = True
) -> Image.Image:
    """The table under its name, and how to read it.

    Arguments:
        high: Pixels that all of it may fill.
        headed: Whether its name stands above it.
    """
    head = [paragraph("How far the methods agree", 15, wide, INK)] if headed else []
    words = paragraph(WORDS, 14, wide, FAINT)
    room = high - words.height - sum(part.height + 8 for part in head) - 8
    return stack([*head, matrix(names, pairs, wide, room), words], gap=8)
