"""What cells are made of: a figure with its caption, tables that fold, pictures small enough to be kept in a notebook.

Colours are those of the page, light or dark; where it is not trusted, notebooks take out scripts, style sheets and SVG, and leave
everything that is used here.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from html import escape

from PIL import Image

from pellucid.core.displayed import Cell
from pellucid.errors.printable import printable

MOST_PNG, MOST_WEBP = 140_000, 90_000  # bytes; as text both take a third more, and a cell shall have 400 kB at most
LONGEST_SIDE = 6000  # pixels; WebP can hold 16,383
MOST_PIXELS = 1_600_000
MOST_ROWS = 60
LEFT = "text-align:left; padding:.15em .8em .15em 0"
RIGHT = "text-align:right; padding:.15em .8em .15em 0; font-variant-numeric:tabular-nums"
Rows = Sequence[Sequence[str]]


def words(text: str) -> str:
    """Words of anybody as HTML, in the direction of their script."""
    return escape(printable(text))


def title(text: str, about: str = "") -> str:
    """The headline of a cell, and what it is about in smaller letters."""
    small = f'<br><small dir="auto">{words(about)}</small>' if about else ""
    return f'<p dir="auto" style="margin:.2em 0 .6em"><strong>{words(text)}</strong>{small}</p>'


def sheet(png: bytes, caption: str, tables: str = "") -> Cell:
    """A picture that is all of a result, over its caption, with tables below."""
    return Cell(figure(opened(png), caption) + tables, small_png(png), caption)


def figure(image: Image.Image, caption: str, marked: str = "") -> str:
    """A picture over its caption.

    Arguments:
        caption: Plain words; the alternative text of the picture, too.
        marked: The same words with markup.
    """
    picture = (
        f'<img alt="{words(caption)}" src="data:image/webp;base64,{b64encode(webp(image)).decode()}" style="max-width:100%">'
    )
    return f'<figure style="margin:0">{picture}<figcaption dir="auto">{marked or words(caption)}</figcaption></figure>'


def paragraph(text: str) -> str:
    return f'<p dir="auto" style="margin:.4em 0">{words(text)}</p>'


def folded(summary: str, head: Sequence[str], rows: Rows, *, numbers: int = 0, opened: bool = False) -> str:
    """A table that folds; nothing where it has no rows.

    Arguments:
        numbers: How many columns at the end hold numbers.
    """
    if not rows:
        return ""
    state = " open" if opened else ""
    return f"<details{state}><summary>{words(summary)}</summary>{table(head, rows, numbers=numbers)}</details>"


def table(head: Sequence[str], rows: Rows, *, numbers: int = 0) -> str:
    """A table of plain words, the first `MOST_ROWS` rows of many.

    Arguments:
        numbers: How many columns at the end hold numbers.
    """
    first = len(head) - numbers
    styles = [LEFT if column < first else RIGHT for column in range(len(head))]

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f'<{tag} dir="auto" style="{s}">{words(c)}</{tag}>' for c, s in zip(cells, styles, strict=True))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows[:MOST_ROWS])
    top = f"<thead><tr>{line(head, 'th')}</tr></thead>" if any(head) else ""
    more = paragraph(f"The first {MOST_ROWS} of {len(rows):,} rows are shown.") if len(rows) > MOST_ROWS else ""
    return f"<table>{top}<tbody>{body}</tbody></table>{more}"


def webp(image: Image.Image) -> bytes:
    """The picture as WebP, at most `MOST_WEBP` bytes: of lower quality first, then smaller."""
    image = within(image.convert("RGB"))
    while True:
        for quality in (85, 65):
            data = _saved(image, "WEBP", quality=quality, method=2)
            if len(data) <= MOST_WEBP:
                return data
        image = smaller(image, len(data), MOST_WEBP)


def small_png(data: bytes) -> bytes:
    """A PNG file of at most `MOST_PNG` bytes: as it is where it fits, else with 256 colours, else smaller, too."""
    if len(data) <= MOST_PNG:
        return data
    image = within(opened(data))
    while len(data := _saved(image.quantize(256, Image.Quantize.FASTOCTREE), "PNG")) > MOST_PNG:
        image = smaller(image, len(data), MOST_PNG)
    return data


def opened(png: bytes) -> Image.Image:
    """The picture in a PNG file."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def within(image: Image.Image) -> Image.Image:
    """The picture with no more pixels than a screen shows of it."""
    by = min(1.0, (MOST_PIXELS / (image.width * image.height)) ** 0.5, LONGEST_SIDE / max(image.size))
    return image if by == 1 else scaled(image, by)


def smaller(image: Image.Image, size: int, most: int) -> Image.Image:
    """The picture with so many fewer pixels that its file of `size` bytes will probably fit."""
    return scaled(image, min(0.9, 0.95 * (most / size) ** 0.5))


def scaled(image: Image.Image, by: float) -> Image.Image:
    return image.resize((max(1, round(image.width * by)), max(1, round(image.height * by))), Image.Resampling.LANCZOS)


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
