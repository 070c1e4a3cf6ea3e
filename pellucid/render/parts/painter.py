"""Painter: how explanations about one kind of input are shown. Which there are is in `modality/painters.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from pellucid.explanation.explanation import Explanation
from .drawing import Drawing
from .map import Map

PAGE = 864  # pixels


@dataclass(frozen=True)
class Whole:
    """How all rows of an explanation that belong together are shown at once: those of one generated text.

    Every function gets the explanation of these rows.

    Arguments:
        lines: Lines for a terminal: `lines(e, width, colour)`.
        image: A figure, exactly so many pixels wide: `image(e, wide)`.
        svg: Elements of an SVG so many pixels wide, and their height: `svg(e, wide)`.
    """

    lines: Callable[[Explanation, int, bool], list[str]]
    image: Callable[[Explanation, int], Image.Image]
    svg: Callable[[Explanation, int], tuple[str, float]]


@dataclass(frozen=True)
class Painter:
    """How one kind of subject is shown; what is None is shown as any row or map is.

    Every function gets the explanation of one sample, and its values made ready to paint. Where `drawn.empty` says why there is
    nothing to see, it shows the subject itself, without colours.

    Arguments:
        lines: Lines for a terminal, at most so many columns wide, in colour or in signs:
            `lines(e, drawn, width, colour)`.
        image: The panel of a picture, exactly so many pixels wide, with its scale: `image(e, drawn, wide)`.
        html: The subject in letters, for a notebook: `html(e, drawn)`.
        svg: Elements of an SVG so many pixels wide, and their height in pixels: `svg(e, drawn, wide)`.
    """

    lines: Callable[[Explanation, Map, int, bool], list[str]] | None = None
    image: Callable[[Explanation, Map, int], Image.Image] | None = None
    html: Callable[[Explanation, Map], str] | None = None
    svg: Callable[[Explanation, Map, int], tuple[str, float]] | None = None


def of_drawing(
    draw: Callable[[Explanation, Map, int], Drawing], lines: Callable[[Explanation, Map, int, bool], list[str]]
) -> Painter:
    """The painter of what is one drawing in pictures and SVGs alike.

    Arguments:
        draw: The drawing, so many pixels wide.
        lines: As of `Painter`.
    """

    def svg(e: Explanation, drawn: Map, wide: int) -> tuple[str, float]:
        drawing = draw(e, drawn, wide)
        return drawing.svg(), drawing.high

    return Painter(lines, lambda e, drawn, wide: draw(e, drawn, wide).image(), svg=svg)
