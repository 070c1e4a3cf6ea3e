"""What a model is: its input, how pictures are read, what comes out, what ran, and which methods can explain it."""

from __future__ import annotations

from .card import Card as Card, inspect as inspect
from .head import Head as Head
from .layers import Layer as Layer
from .rules import Planned as Planned
from .verdicts import Verdict as Verdict
