"""A chart as a picture, as SVG, as lines of text, and as the figure of a document."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

from pellucid.core.numbers import figure
from pellucid.explanation.overview.chart import Cell, Chart, charts_to_dict
from pellucid.explanation.overview.maps import MeanMaps
from pellucid.explanation.overview.overview import Overview
from ..image import encoded
from ..parts.drawing import Drawing, Mark, Words, moved, visible
from ..parts.palette import AMBER, FAINT, INK, Colour
from ..parts.text import stack, wrap
from .bars import bars
from .beeswarm import beeswarm
from .dependence import dependence
from .maps import maps
from .over_time import over_time

WIDE, MARGIN, GAP = 924, 32, 16  # pixels
LETTERS = 0.92  # of the width that lines of words take: the letters of another system may be wider
LINES = 24  # of a table in a terminal

#: Kind of chart -> its marks so many pixels wide, and how high they are.
PAINTERS: dict[str, Callable[[Any, int], tuple[list[Mark], float]]] = {
    "beeswarm": beeswarm, "bars": bars, "dependence": dependence, "over_time": over_time, "words": bars, "mean_maps": maps,
    "confusion": lambda data, wide: (maps if isinstance(data, MeanMaps) else bars)(data, wide),
}  # fmt: skip


def bare(chart: Chart, wide: int = WIDE) -> Drawing:
    """The chart without words around it, for a document that says them itself."""
    body, high = PAINTERS[chart.view](chart.data, wide)
    return Drawing(wide, high, tuple(body))


def drawing(chart: Chart, wide: int = WIDE) -> Drawing:
    """The chart under its title, over its caption and warnings, with a margin around."""
    marks, below = paragraph(chart.title, 24, INK, 0.0, wide)
    body, high = PAINTERS[chart.view](chart.data, wide)
    marks += [moved(mark, 0, below + GAP) for mark in body]
    below += high + 2 * GAP
    for words, colour in ((chart.caption, FAINT), *((warning, AMBER) for warning in chart.warnings)):
        more, below = paragraph(words, 14, colour, below, wide)
        marks += more
    whole = tuple(moved(mark, MARGIN, MARGIN) for mark in marks)
    return Drawing(wide + 2 * MARGIN, below + 2 * MARGIN, whole)


def paragraph(words: str, size: int, colour: Colour, top: float, wide: int) -> tuple[list[Mark], float]:
    """Words in lines, and where they end."""
    lines, step = wrap(words, size, LETTERS * wide), 1.4 * size
    marks: list[Mark] = [Words(0, top + size + step * row, line, size, colour) for row, line in enumerate(lines)]
    return marks, top + step * len(lines)


def png(chart: Chart) -> bytes:
    """The bytes of a PNG file, with words and provenance in text chunks."""
    return encoded(drawing(chart).image(), chart.words(), chart.provenance)


def sheet_png(overview: Overview) -> bytes:
    """All charts below one another."""
    charts = overview.charts
    image = stack([drawing(chart).image() for chart in charts], gap=0)
    return encoded(image, "\n".join(chart.words() for chart in charts), charts[0].provenance)


def svg(chart: Chart) -> str:
    """One file of letters and shapes."""
    return svg_file(chart, drawing(chart))


def svg_file(chart: Chart, made: Drawing) -> str:
    """A drawing of a chart as a file, with its words and provenance."""
    size = f'width="{made.wide:.0f}" height="{made.high:.0f}" viewBox="0 0 {made.wide:.0f} {made.high:.0f}"'
    said = f"<title>{escape(visible(chart.title))}</title>\n<desc>{escape(visible(chart.words()))}</desc>"
    about = escape(visible(json.dumps(chart.provenance, default=str)))
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{said}\n<metadata>{about}</metadata>\n{paper}'
    return f"{head}\n{made.svg()}\n</svg>\n"


def chart_figure(chart: Chart) -> dict[str, Any]:
    """The chart as the figure of a document."""
    rows = [[cell_words(cell) for cell in row] for row in chart.rows]
    table = {"head": list(chart.head), "rows": rows}
    caption, drawn = " ".join((chart.caption, *chart.warnings)), svg_file(chart, bare(chart))
    return {"title": chart.title, "caption": caption, "svg": drawn, "src": None, "alt": chart.words(), "table": table}


def text(chart: Chart) -> str:
    """Words and table, for a terminal or a text file."""
    rows = [list(chart.head), *([cell_words(cell) for cell in row] for row in chart.rows[:LINES])]
    wide = [max(len(row[place]) for row in rows) for place in range(len(chart.head))]
    lines = ["  ".join(cell.ljust(room) for cell, room in zip(row, wide, strict=True)).rstrip() for row in rows]
    left = len(chart.rows) - LINES
    more = [f"and {left:,} more"] if left > 0 else []
    return "\n".join([chart.title, "", *lines, *more, "", chart.caption, *chart.warnings, ""])


def all_texts(overview: Overview) -> str:
    """The words and tables of all charts."""
    return "\n".join(map(text, overview.charts))


def all_data(overview: Overview) -> dict[str, Any]:
    """All charts as plain data."""
    return charts_to_dict(overview.charts)


def cell_words(cell: Cell) -> str:
    """What stands in a cell of a table; nothing of what is not known."""
    if cell is None or cell != cell:
        return ""
    return figure(cell) if isinstance(cell, float) else str(cell)
