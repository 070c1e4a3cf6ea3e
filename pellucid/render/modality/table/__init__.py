"""A row of a table with its evidence: a waterfall where values add up to the score, bars where they do not."""

from __future__ import annotations

from html import escape

from pellucid.core.numbers import figure
from pellucid.explanation.explanation import Explanation
from ...parts.painter import of_drawing
from ...parts.steps import Step, bars, rises, split, waterfall
from .chart import drawing
from .lines import lines


def steps(e: Explanation) -> list[Step]:
    """A waterfall where values add up, else bars."""
    return waterfall(e) if rises(e) else bars(e)


def details(e: Explanation) -> str:
    """Every column with its value, for a page."""
    every, _ = split(e, 10_000)
    rows = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(cell)}</td><td>{figure(value)}</td></tr>" for name, cell, value in every
    )
    table = f'<table class="books">\n{rows}\n</table>'
    return f"\n<details><summary>All {len(every)} columns</summary>\n{table}</details>"


PAINTER = of_drawing(
    lambda e, drawn, wide: drawing(steps(e), drawn, wide),
    lambda e, drawn, width, colour: lines(steps(e), drawn, width, colour=colour),
    details,
)
