"""Painters: an Explanation as a picture, a page, or lines in a terminal; none of them changes what it shows."""

from __future__ import annotations

from pellucid.render.image import picture, png, save_png, sheet
from pellucid.render.page import page, save_html
from pellucid.render.palette import PALETTES, Palette
from pellucid.render.terminal import save_txt, terminal

__all__ = ["PALETTES", "Palette", "page", "picture", "png", "save_html", "save_png", "save_txt", "sheet", "terminal"]
