"""Painters: an Explanation as a picture, a page, or lines in a terminal; none of them changes what it shows."""

from __future__ import annotations

from .chart import chart
from .comparison import comparison_png, comparison_sheet
from .comparison_page import comparison_page
from .image import picture, png, sheet
from .page import page
from .parts.palette import PALETTES, Palette
from .parts.view import VIEWS, Shown
from .svg import svg
from .terminal import terminal

__all__ = [
    "PALETTES",
    "VIEWS",
    "Palette",
    "Shown",
    "chart",
    "comparison_page",
    "comparison_png",
    "comparison_sheet",
    "page",
    "picture",
    "png",
    "sheet",
    "svg",
    "terminal",
]
