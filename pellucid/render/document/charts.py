"""Charts of many explanations: documents of one or several figures, each with its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pellucid.explanation.overview import Chart, Confusion, Overview
from ..overview import chart_figure
from . import schema
from .tables import sections


def chart(one: Chart) -> schema.Sections:
    """A single chart."""
    return figures("chart", one.title, [one])


def overview(o: Overview) -> schema.Sections:
    """All charts that suit the data."""
    return figures("overview", f"{o.collected.n:,} {o.data} by {o.about.method}", o.charts)


def confusion(c: Confusion) -> schema.Sections:
    """What speaks where a model errs; of a model without errors the counts alone."""
    if c.pairs:
        return figures("confusion", f"{c.errors} of {c.n:,} samples taken for another class", [c.chart()])
    return sections("confusion", "No errors", f"All of {c.n:,} samples are taken for what they are.", [])


def figures(kind: str, title: str, charts: Sequence[Chart]) -> schema.Sections:
    """Charts as the figures of one document."""
    warnings = list(dict.fromkeys(warning for one in charts for warning in one.warnings))
    made = sections(kind, title, charts[0].caption, [], (), warnings)
    made["figures"] = [cast(schema.Figure, chart_figure(one)) for one in charts]
    made["provenance"] = dict(charts[0].provenance)
    return made
