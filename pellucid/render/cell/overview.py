"""Charts of many explanations in a notebook."""

from __future__ import annotations

from pellucid.core.displayed import Cell
from pellucid.core.formats import encoded
from pellucid.explanation.overview import Chart, Confusion, Overview
from ..overview.chart import cell_words
from . import parts


def chart(one: Chart) -> Cell:
    """The picture over its words, and the table."""
    return parts.sheet(encoded(one, "chart", ".png"), one.words(), numbers(one))


def overview(o: Overview) -> Cell:
    """All charts, and their tables."""
    charts = o.charts
    tables = "".join(map(numbers, charts))
    return parts.sheet(encoded(o, "overview", ".png"), " ".join(one.words() for one in charts), tables)


def confusion(c: Confusion) -> Cell:
    """The chart of the errors; a sentence where there are none."""
    return chart(c.chart()) if c.pairs else Cell(parts.paragraph(repr(c)))


def numbers(one: Chart) -> str:
    """The table of a chart."""
    rows = [tuple(map(cell_words, row)) for row in one.rows]
    return parts.folded(f"The numbers: {one.view.replace('_', ' ')}", one.head, rows, numbers=len(one.head) - 1)
