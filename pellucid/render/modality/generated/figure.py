"""A generated text as a picture, and as SVG: its text, its matrix, the scale, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from pellucid.explanation.explanation import Explanation
from ...parts.drawing import Drawing, Mark, Rect, Words, moved
from ...parts.palette import AMBER, FAINT, INK, Colour, ends
from ...parts.text import width, wrap
from .layout import Layout, layout
from .matrix import matrix, scale_words
from .words import sentences, text_parts, warnings


def figure(e: Explanation, wide: int) -> Drawing:
    """All of it as one drawing, so many pixels wide."""
    shown = layout(e)
    made, marks, top = matrix(shown, wide), list[Mark](), 0.0
    for mark in head(e, wide):
        marks.append(mark)
    top = 6 + max((mark.base for mark in marks if isinstance(mark, Words)), default=0.0) + 8
    marks += [moved(mark, 0, top) for mark in made.marks]
    top += made.high + 6
    marks += key(shown, top)
    top += 34
    said = [(scale_words(shown), 13, FAINT), *((words, 15, INK) for words in sentences(e))]
    said += [(words, 15, AMBER) for words in warnings(e)] + [(words, 13, FAINT) for words in e.notes]
    for words, size, colour in said:
        written = list(paragraph(words, size, colour, top, wide))
        marks += written
        top = written[-1].base + 0.5 * size + 3
    return Drawing(wide, top + 4, tuple(marks))


def head(e: Explanation, wide: int) -> list[Words]:
    """The prompt, and what was added to it in larger letters."""
    prompt, new = text_parts(e)
    above = list(paragraph(prompt, 16, FAINT, 0.0, wide))
    return [*above, *paragraph(new.strip() or "·", 21, INK, above[-1].base + 6 if above else 0.0, wide)]


def paragraph(words: str, size: int, colour: Colour, top: float, wide: float) -> Iterator[Words]:
    """Words in lines, with room for fonts that are wider than ours."""
    for number, line in enumerate(wrap(words, size, 0.85 * wide)):
        yield Words(0, top + size + number * 1.4 * size, line, size, colour)


def key(shown: Layout, top: float) -> Iterator[Mark]:
    """What the colours mean."""
    left, drawn = 0.0, shown.drawn
    for level, words in ends(signed=shown.signed):
        yield Rect(left, top, left + 14, top + 14, drawn.on_paper(level))
        yield Words(left + 20, top + 12, words, 14, INK)
        left += 50 + width(words, 14)


def image(e: Explanation, wide: int) -> Image.Image:
    """The figure in pixels."""
    return figure(e, wide).image()


def svg(e: Explanation, wide: int) -> tuple[str, float]:
    """The figure as elements of an SVG, and how high it is."""
    made = figure(e, wide)
    return made.svg(), made.high
