"""Painters: an Explanation as a picture, a page, or lines in a terminal; none of them changes what it shows."""

from __future__ import annotations

from .chart import chart as chart
from .comparison import comparison_png as comparison_png, comparison_sheet as comparison_sheet
from .image import picture as picture, png as png, sheet as sheet
from .parts.palette import PALETTES as PALETTES, Palette as Palette
from .parts.view import VIEWS as VIEWS, Shown as Shown
from .report import comparison_page as comparison_page, page as page, result_page as result_page
from .svg import svg as svg
from .terminal import terminal as terminal
