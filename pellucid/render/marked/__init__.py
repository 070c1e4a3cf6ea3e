"""Text with its evidence: every token on a ground of the colour that its value has."""

from __future__ import annotations

from pellucid.render.marked.html import html
from pellucid.render.marked.image import image
from pellucid.render.marked.lines import lines
from pellucid.render.marked.svg import svg
from pellucid.render.subjects import Painter

PAINTER = Painter(lines=lines, image=image, html=html, svg=svg)

__all__ = ["PAINTER"]
