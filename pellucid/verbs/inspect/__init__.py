"""The verb `inspect` and the card it makes: input, preprocessing, score head, layers, rules, and which methods can explain."""

from __future__ import annotations

from .card import Card as Card, Layer as Layer, inspect as inspect
from .head import Head as Head
from .rules import Planned as Planned
from .verdicts import Verdict as Verdict
