"""Text with its evidence: every token on a ground of the colour that its value has."""

from __future__ import annotations

from ...parts.painter import Painter
from .html import html
from .image import image
from .lines import lines
from .svg import svg

PAINTER = Painter(lines=lines, image=image, html=html, svg=svg)
