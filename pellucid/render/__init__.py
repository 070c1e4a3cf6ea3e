"""Painters: an Explanation as a picture, a page, or lines in a terminal; none of them changes what it shows."""

from __future__ import annotations

from .chart import chart
from .comparison import comparison_png, comparison_sheet, save_comparison_png
from .comparison_page import comparison_page, save_comparison_html
from .image import picture, png, save_png, sheet
from .page import page, save_html
from .parts.palette import PALETTES, Palette
from .parts.view import VIEWS, Shown
from .svg import save_svg, svg
from .terminal import save_txt, terminal

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
    "save_comparison_html",
    "save_comparison_png",
    "save_html",
    "save_png",
    "save_svg",
    "save_txt",
    "sheet",
    "svg",
    "terminal",
]
