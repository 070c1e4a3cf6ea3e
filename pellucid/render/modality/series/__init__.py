"""Series with their evidence: every channel as a curve, and behind it the colour of what each stretch of time says."""

from __future__ import annotations

from ...parts.painter import of_drawing
from .chart import drawing
from .lines import lines

PAINTER = of_drawing(drawing, lines)
