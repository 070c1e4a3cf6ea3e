"""Words on a picture, in the letters of any script, and lines that fit their column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from ..lettering.bidi import leftward
from ..lettering.faces import OWN, Font
from ..lettering.ink import draw, total, width as piece_width
from ..lettering.pieces import lacking, pieces, stays
from .palette import AMBER, INK, PAPER, Colour

LEADING = 1.4
WIDEST = 1.2  # of a letter, in its size
MOST_LETTERS, MOST_WRAPPED = 2000, 6000  # that a line and a paragraph are made of: nobody reads more
BLANKS = str.maketrans("\n\t", "  ")
MOST_NAMED = 6  # letters without a font, by their codes


def font(size: int) -> Font:
    """Pillow's own font, antialiased, with `size` in pixels."""
    return OWN.font(size)


def width(words: str, size: int, base: bool | None = None) -> float:
    """How wide `words` are, in pixels; `base` as in `write`."""
    return total(words, size, base)


def write(
    image: Image.Image, at: tuple[float, float], words: str, size: int, colour: Colour | int = INK, anchor: str = "ls",
    base: bool | None = None,
) -> None:  # fmt: skip
    """Words on an image.

    Arguments:
        anchor: What `at` is: their left end ("l"), middle ("m") or right end ("r"), and their base line ("s"), middle ("m") or
            top ("t"), as Pillow has it.
        base: Whether they read from right to left as a whole; None: as their first letter does.
    """
    line = pieces(words, base)
    if len(line) == 1 and line[0].face == OWN and not line[0].leftward:
        ImageDraw.Draw(image).text(at, line[0].text, colour, font(size), anchor=anchor)
        return
    left = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * width(words, size)
    middle, top = (font(size).getbbox("x", anchor=f"l{how}")[3] - font(size).getbbox("x", anchor="ls")[3] for how in "mt")
    below = at[1] + {"s": 0.0, "m": middle, "t": top}[anchor[1]]
    for piece in line:
        draw(image, piece, left, below, size, colour)
        left += piece_width(piece, size)


def boxes_note(words: Iterable[str]) -> str:
    """A sentence about letters that no font has, which are drawn as boxes; "" where there are none.

    Example:
        >>> boxes_note(["cat", "gatta"])
        ''
    """
    letters = dict.fromkeys(letter for text in words for letter in lacking(text[:MOST_WRAPPED]))
    if not letters:
        return ""
    codes = ", ".join(f"U+{ord(letter):04X}" for letter in list(letters)[:MOST_NAMED])
    more = f" and {len(letters) - MOST_NAMED} more" if len(letters) > MOST_NAMED else ""
    return f"Boxes with a code stand for letters that no font on this machine has: {codes}{more}. Page (.html) and SVG hold them."


def boxes_said(words: Iterable[str], wide: int) -> list[Image.Image]:
    """The sentence about letters that no font has, where there are any."""
    note = boxes_note(words)
    return [paragraph(note, 14, wide, AMBER)] if note else []


def wrap(words: str, size: int, limit: float) -> list[str]:
    """Lines no wider than `limit`; a single word that is wider is broken. Of very long texts the first `MOST_WRAPPED` letters."""
    words = words if len(words) <= MOST_WRAPPED else f"{words[:MOST_WRAPPED]} …"
    lines = [""]
    for word in (part for whole in words.split() for part in broken(whole, size, limit)):
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size) <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def broken(word: str, size: int, limit: float) -> list[str]:
    """`word` itself, or its parts if it is wider than a line."""
    if len(word) * size * WIDEST <= limit or width(word, size) <= limit:
        return [word]
    parts, start = [], 0
    while start < len(word):
        count = whole_letters(word, start, max(1, fitting(word, start, size, limit)))
        parts.append(word[start : start + count])
        start += count
    return parts


def whole_letters(words: str, start: int, count: int) -> int:
    """`count`, or less where that would part a letter from its marks; at least one letter with all of them."""
    end = start + count
    while start < end < len(words) and stays(words, end):
        end -= 1
    if end == start:
        end += 1
        while end < len(words) and stays(words, end):
            end += 1
    return end - start


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
    words = words[:MOST_LETTERS].translate(BLANKS)
    fits = fitting(words, 0, size, limit)
    if fits == len(words):
        return words
    fits = fitting(words, 0, size, limit - width("…", size))
    while fits and (stays(words, fits) or width(words[:fits] + "…", size) > limit):  # letters move together before some others
        fits -= 1
    return words[:fits].rstrip() + "…"


def paragraph(words: str, size: int, limit: int, colour: Colour = INK) -> Image.Image:
    """`words` wrapped on paper, `limit` pixels wide."""
    lines, base = wrap(words, size, limit), bool(leftward(words))
    step = round(size * LEADING)
    image = Image.new("RGB", (limit, step * len(lines)), PAPER)
    for row, line in enumerate(lines):
        write(image, (0, row * step + size), line, size, colour, base=base)
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
