"""Charts of many explanations as drawings: a file per kind, and one that puts title, caption and warnings around them."""

from __future__ import annotations

from .chart import chart_figure as chart_figure, drawing as drawing, png as png, sheet_png as sheet_png, svg as svg, text as text
