"""Drawings of bars, lines, pixels and words, told once and made into pixels or into SVG."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..lettering.markup import in_svg
from .palette import INK, PAPER, Colour, web
from .text import shorten, width, write

FINER = 3  # shapes are drawn so many times finer and averaged: their edges are smooth
ANCHORS = {"l": "start", "m": "middle", "r": "end"}
Point = tuple[float, float]


@dataclass(frozen=True)
class Rect:
    """A filled rectangle.

    Arguments:
        left, top, right, bottom: In pixels.
        told: What it says when it is pointed at; "" for nothing.
    """

    left: float
    top: float
    right: float
    bottom: float
    fill: Colour
    tooltip: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points, `wide` pixels wide."""

    points: tuple[Point, ...]
    colour: Colour
    wide: float = 1.0


@dataclass(frozen=True)
class Words:
    """Words at their base line.

    Arguments:
        anchor: Whether they begin ("l"), stand around ("m"), or end ("r") at `left`.
        upward: Whether they read from below to above, beginning at `base`.
    """

    left: float
    base: float
    text: str
    size: int = 14
    colour: Colour = INK
    anchor: str = "l"
    upward: bool = False


@dataclass(frozen=True)
class Dots:
    """Dots of one colour, `radius` pixels each: thousands of them take little room in a file."""

    points: tuple[Point, ...]
    radius: float
    fill: Colour


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels (height, width, 3) in a rectangle."""

    left: float
    top: float
    right: float
    bottom: float
    pixels: NDArray[np.uint8]

    def image(self, finer: int = 1) -> Image.Image:
        """The pixels as large as the rectangle, `finer` times as fine."""
        size = round(finer * (self.right - self.left)), round(finer * (self.bottom - self.top))
        return Image.fromarray(self.pixels).resize(size, Image.Resampling.BILINEAR)

    def uri(self) -> str:
        """The pixels as an address that holds them."""
        file = BytesIO()
        Image.fromarray(self.pixels).save(file, format="PNG")
        return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


@dataclass(frozen=True, eq=False)
class Fragment:
    """What is made of letters: pixels for pictures, and the same as elements of an SVG."""

    left: float
    top: float
    pixels: Image.Image
    elements: str


Mark = Rect | Line | Words | Dots | Raster | Fragment


@dataclass(frozen=True)
class Drawing:
    """Marks on paper, in the order in which they are laid.

    Example:
        >>> one = Drawing(40, 10, (Rect(0, 0, 20, 10, (255, 0, 0), "half & more"),))
        >>> one.image().getpixel((5, 5)), one.image().getpixel((30, 5))
        ((255, 0, 0), (255, 255, 255))
        >>> print(one.svg())
        <rect x="0.0" y="0.0" width="20.0" height="10.0" fill="#ff0000"><title>half &amp; more</title></rect>
    """

    wide: float
    high: float
    marks: tuple[Mark, ...]

    def image(self) -> Image.Image:
        """As pixels."""
        size = round(self.wide), round(self.high)
        fine = Image.new("RGB", (size[0] * FINER, size[1] * FINER), PAPER)
        draw = ImageDraw.Draw(fine)
        for mark in self.marks:
            if isinstance(mark, Rect):
                box = [FINER * edge for edge in (mark.left, mark.top, mark.right, mark.bottom)]
                draw.rectangle((box[0], box[1], max(box[0], box[2] - 1), max(box[1], box[3] - 1)), fill=mark.fill)
            elif isinstance(mark, Raster):
                fine.paste(mark.image(FINER), (round(FINER * mark.left), round(FINER * mark.top)))
            elif isinstance(mark, Dots):
                for x, y in mark.points:
                    box = [FINER * edge for edge in (x - mark.radius, y - mark.radius, x + mark.radius, y + mark.radius)]
                    draw.ellipse((box[0], box[1], box[2], box[3]), fill=mark.fill)
            elif isinstance(mark, Line):
                points = [(FINER * x, FINER * y) for x, y in mark.points]
                draw.line(points, mark.colour, max(1, round(FINER * mark.wide)), joint="curve")
        image = fine.reduce(FINER)
        for mark in self.marks:
            if isinstance(mark, Words) and mark.upward:
                _write_upward(image, mark)
            elif isinstance(mark, Fragment):
                image.paste(mark.pixels, (round(mark.left), round(mark.top)))
            elif isinstance(mark, Words):
                write(image, (mark.left, mark.base), mark.text, mark.size, mark.colour, f"{mark.anchor}s")
        return image

    def svg(self) -> str:
        """As elements of an SVG."""
        return "\n".join(_element(mark) for mark in self.marks)

    def page(self) -> str:
        """As an SVG of its own inside a page."""
        box = f'viewBox="0 0 {self.wide:.0f} {self.high:.0f}"'
        return f'<svg class="drawing" width="{self.wide:.0f}" height="{self.high:.0f}" {box} role="img">\n{self.svg()}\n</svg>'


def _write_upward(image: Image.Image, mark: Words) -> None:
    """Words that read from below to above, with their base line at `left`."""
    ink = Image.new("L", (max(1, round(width(mark.text, mark.size)) + 2), 2 * mark.size))
    write(ink, (0, round(1.4 * mark.size)), mark.text, mark.size, 255)
    turned = ink.transpose(Image.Transpose.ROTATE_90)
    place = round(mark.left - 1.4 * mark.size), round(mark.base - turned.height)
    image.paste(Image.new("RGB", turned.size, mark.colour), place, turned)


def fitted(words: str, size: int, limit: float) -> str:
    """Words as they are where they fit, else cut with an ellipsis.

    Example:
        >>> fitted("mm²", 14, 100)
        'mm²'
    """
    return words if width(words, size) <= limit else shorten(words, size, limit)


def _element(mark: Mark) -> str:
    if isinstance(mark, Rect):
        place = f'x="{mark.left:.1f}" y="{mark.top:.1f}"'
        size = f'width="{max(0.0, mark.right - mark.left):.1f}" height="{max(0.0, mark.bottom - mark.top):.1f}"'
        inside = f"><title>{escape(mark.tooltip)}</title></rect>" if mark.tooltip else "/>"
        return f'<rect {place} {size} fill="{web(mark.fill)}"{inside}'
    if isinstance(mark, Raster):
        size = f'width="{mark.right - mark.left:.1f}" height="{mark.bottom - mark.top:.1f}"'
        place = f'x="{mark.left:.1f}" y="{mark.top:.1f}"'
        return f'<image {place} {size} preserveAspectRatio="none" href="{mark.uri()}"/>'
    if isinstance(mark, Fragment):
        letters = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
        place = f'transform="translate({mark.left:.1f} {mark.top:.1f})" font-family="{letters}" font-size="16"'
        return f"<g {place}>\n{mark.elements}\n</g>"
    if isinstance(mark, Dots):
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in mark.points)  # lines of no length with round ends
        return f'<path d="{path}" stroke="{web(mark.fill)}" stroke-width="{2 * mark.radius:g}" stroke-linecap="round"/>'
    if isinstance(mark, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
        return f'<polyline points="{points}" fill="none" stroke="{web(mark.colour)}" stroke-width="{mark.wide:g}"/>'
    where = f'x="{mark.left:.1f}" y="{mark.base:.1f}" text-anchor="{ANCHORS[mark.anchor]}"'
    where += f' transform="rotate(-90 {mark.left:.1f} {mark.base:.1f})"' if mark.upward else ""
    how = f'font-family="system-ui, sans-serif" font-size="{mark.size}" fill="{web(mark.colour)}"'
    return f"<text {where} {how}>{in_svg(visible(mark.text))}</text>"


def moved(mark: Mark, right: float, down: float) -> Mark:
    """The same mark elsewhere.

    Example:
        >>> moved(Rect(0, 0, 2, 2, INK), 5, 1)
        Rect(left=5, top=1, right=7, bottom=3, fill=(28, 30, 34), tooltip='')
    """
    if isinstance(mark, Words):
        return replace(mark, left=mark.left + right, base=mark.base + down)
    if isinstance(mark, Fragment):
        return replace(mark, left=mark.left + right, top=mark.top + down)
    if isinstance(mark, (Line, Dots)):
        return replace(mark, points=tuple((x + right, y + down) for x, y in mark.points))
    here = mark.left + right, mark.top + down, mark.right + right, mark.bottom + down
    return replace(mark, left=here[0], top=here[1], right=here[2], bottom=here[3])


def visible(text: str) -> str:
    """Without the characters that XML forbids."""
    return "".join(letter if letter >= " " else " " for letter in text)


def colour_key(kinds: Iterable[tuple[Colour, str]], base: float) -> list[Mark]:
    """Squares in a row, each with what its colour means beside it."""
    marks, left = list[Mark](), 0.0
    for fill, text in kinds:
        marks += [Rect(left, base - 12, left + 13, base + 1, fill), Words(left + 20, base, text, 14, INK)]
        left += 44 + width(text, 14)
    return marks
