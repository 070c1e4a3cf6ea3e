"""What a model is: its input, how pictures are read, what comes out, what ran, and which methods can explain it."""

from __future__ import annotations

from .card import Card, inspect
from .head import Head
from .layers import Layer
from .rules import Planned
from .verdicts import Verdict

__all__ = ["Card", "Head", "Layer", "Planned", "Verdict", "inspect"]
