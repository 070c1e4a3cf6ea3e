"""Words on a picture: the font that comes with Pillow, and lines that fit their column."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from .palette import INK, PAPER, Colour

LEADING = 1.4
WIDEST = 1.2  # of a letter, in its size
MOST_LETTERS, MOST_WRAPPED = 2000, 6000  # that a line and a paragraph are made of: nobody reads more
GLYPHS = {*map(chr, range(32, 127)), *"©«°±·»“”…™"}  # what the bundled font has
NEAR: dict[int, int | str] = {**str.maketrans("\u2013\u2014\u2212\u00d7\u2019\n\tµμ", "---x'  uu"), ord("→"): "->"}


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, antialiased, with `size` in pixels."""
    return ImageFont.load_default(size=size)


def plain(words: str) -> str:
    """`words` in the letters the font has: accents fall, what is left over becomes a question mark.

    Example:
        >>> plain("Fräulein → 猫")
        'Fraulein -> ?'
    """
    if words.isascii() and words.isprintable():
        return words
    spread = unicodedata.normalize("NFKD", words.translate(NEAR))
    return "".join(letter if letter in GLYPHS else "?" for letter in spread if not unicodedata.combining(letter))


def width(words: str, size: int) -> float:
    """How wide `words` are, in pixels."""
    return font(size).getlength(plain(words))


def wrap(words: str, size: int, limit: float, *, spelled: bool = True) -> list[str]:
    """Lines no wider than `limit`; a single word that is wider is broken. Of very long texts the first `MOST_WRAPPED` letters.

    Arguments:
        spelled: Whether the words come back in the letters the font has, or as they are.
    """
    words = words if len(words) <= MOST_WRAPPED else f"{words[:MOST_WRAPPED]} …"
    lines = [""]
    for word in (part for whole in (plain(words) if spelled else words).split() for part in pieces(whole, size, limit)):
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size) <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def pieces(word: str, size: int, limit: float) -> list[str]:
    """`word` itself, or its parts if it is wider than a line."""
    if len(word) * size * WIDEST <= limit or width(word, size) <= limit:
        return [word]
    parts, start = [], 0
    while start < len(word):
        count = max(1, fitting(word, start, size, limit))
        parts.append(word[start : start + count])
        start += count
    return parts


def fitting(words: str, start: int, size: int, limit: float) -> int:
    """How many letters from `start` on fit; few more than that are measured, however long the text is."""
    low, high = 0, 8
    while start + high < len(words) and width(words[start : start + high], size) <= limit:
        low, high = high, 2 * high
    high = min(high, len(words) - start)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width(words[start : start + middle], size) <= limit else (low, middle - 1)
    return low


def shorten(words: str, size: int, limit: float) -> str:
    """`words`, cut with an ellipsis where they do not fit."""
    words = plain(words[:MOST_LETTERS])
    fits = fitting(words, 0, size, limit)
    if fits == len(words):
        return words
    fits = fitting(words, 0, size, limit - width("…", size))
    while fits and width(words[:fits] + "…", size) > limit:  # letters move together before some others
        fits -= 1
    return words[:fits].rstrip() + "…"


def paragraph(words: str, size: int, limit: int, colour: Colour = INK) -> Image.Image:
    """`words` wrapped on paper, `limit` pixels wide."""
    lines = wrap(words, size, limit)
    step = round(size * LEADING)
    image = Image.new("RGB", (limit, step * len(lines)), PAPER)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        draw.text((0, row * step + size), line, colour, font(size), anchor="ls")
    return image


def line(words: str, size: int, limit: int, colour: Colour = INK) -> Image.Image:
    """`words` on one line on paper, cut where they do not fit."""
    return paragraph(shorten(words, size, limit), size, limit, colour)


def stack(parts: Sequence[Image.Image], gap: int) -> Image.Image:
    """Pictures under one another on paper, `gap` pixels apart; of none, a speck of paper."""
    height = sum(part.height for part in parts) + gap * (len(parts) - 1)
    image = Image.new("RGB", (max((part.width for part in parts), default=1), max(height, 1)), PAPER)
    top = 0
    for part in parts:
        image.paste(part, (0, top))
        top += part.height + gap
    return image


def side_by_side(parts: Sequence[Image.Image], wide: int, gap: int) -> Image.Image:
    """Pictures beside one another on paper, in columns `wide` pixels each and `gap` pixels apart."""
    image = Image.new("RGB", (len(parts) * (wide + gap) - gap, max(part.height for part in parts)), PAPER)
    for place, part in enumerate(parts):
        image.paste(part, (place * (wide + gap), 0))
    return image
