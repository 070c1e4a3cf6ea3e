"""A row of a table with its evidence: a waterfall where values add up to the score, bars where they do not."""

from __future__ import annotations

from pellucid.explanation.explanation import Explanation
from ...parts.painter import of_drawing
from ...parts.steps import Step, bars, rises, waterfall
from .chart import drawing
from .lines import lines


def steps(e: Explanation) -> list[Step]:
    """A waterfall where values add up, else bars."""
    return waterfall(e) if rises(e) else bars(e)


PAINTER = of_drawing(
    lambda e, drawn, wide: drawing(steps(e), drawn, wide),
    lambda e, drawn, width, colour: lines(steps(e), drawn, width, colour=colour),
)
