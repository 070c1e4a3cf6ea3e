"""Spectrograms with their evidence: how loud every frequency is in grey, and on it the colour of what each says."""

from __future__ import annotations

from ...parts.painter import of_drawing
from .chart import drawing
from .lines import lines

PAINTER = of_drawing(drawing, lines)
