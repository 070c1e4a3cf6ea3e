"""Painters: an Explanation as a picture, a page, or lines in a terminal; none of them changes what it shows."""

from __future__ import annotations

from pellucid.render.chart import chart
from pellucid.render.comparison import comparison_png, comparison_sheet, save_comparison_png
from pellucid.render.comparison_page import comparison_page, save_comparison_html
from pellucid.render.image import picture, png, save_png, sheet
from pellucid.render.page import page, save_html
from pellucid.render.palette import PALETTES, Palette
from pellucid.render.svg import save_svg, svg
from pellucid.render.terminal import save_txt, terminal
from pellucid.render.view import VIEWS, Shown

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
