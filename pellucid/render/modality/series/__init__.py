"""Series with their evidence: every channel as a curve, and behind it the colour of what each stretch of time says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from ...parts.map import Map
from ...parts.painter import Painter
from .chart import drawing
from .lines import lines

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation

PAGE = 864  # pixels


def image(e: Explanation, drawn: Map, wide: int) -> Image.Image:
    """The curves as pixels."""
    return drawing(e, drawn, wide).image()


def svg(e: Explanation, drawn: Map, wide: int) -> tuple[str, float]:
    """The curves as elements of an SVG."""
    made = drawing(e, drawn, wide)
    return made.svg(), made.high


def html(e: Explanation, drawn: Map) -> str:
    """The curves inside a page."""
    return drawing(e, drawn, PAGE).page()


PAINTER = Painter(lines=lines, image=image, html=html, svg=svg)

__all__ = ["PAINTER"]
