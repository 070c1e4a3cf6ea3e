"""A row of a table with its evidence: a waterfall where values add up to the score, bars where they do not."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from pellucid.core.numbers import figure
from ...parts.map import Map
from ...parts.painter import Painter
from ...parts.steps import bars, rises, split, waterfall
from .chart import drawing
from .lines import lines

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from ...parts.steps import Step

PAGE = 864  # pixels


def chosen(e: Explanation) -> list[Step]:
    """Steps where values add up, else bars."""
    return waterfall(e) if rises(e) else bars(e)


def image(e: Explanation, drawn: Map, wide: int) -> Image.Image:
    """The chart as pixels."""
    return drawing(chosen(e), drawn, wide).image()


def svg(e: Explanation, drawn: Map, wide: int) -> tuple[str, float]:
    """The chart as elements of an SVG."""
    made = drawing(chosen(e), drawn, wide)
    return made.svg(), made.high


def html(e: Explanation, drawn: Map) -> str:
    """The chart, and below it every column with its value."""
    every, _ = split(e, 10_000)
    rows = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(cell)}</td><td>{figure(value)}</td></tr>" for name, cell, value in every
    )
    table = f'<table class="books">\n{rows}\n</table>'
    chart = drawing(chosen(e), drawn, PAGE).page()
    return f"{chart}\n<details><summary>All {len(every)} columns</summary>\n{table}</details>"


def text(e: Explanation, drawn: Map, width: int, colour: bool) -> list[str]:
    """The chart in lines."""
    return lines(chosen(e), drawn, width, colour=colour)


PAINTER = Painter(lines=text, image=image, html=html, svg=svg)

__all__ = ["PAINTER"]
