"""Priors of pictures: penalties that are subtracted from the score, and projections that are applied after each step.

Not in here: generator priors, which are networks of their own, in `generator/`.
"""

from __future__ import annotations

from .centre import Centre, Inside
from .diversity import Diversity
from .norm import L2, AlphaNorm, Ball, Decay
from .small import SmallContribution, SmallNorm
from .smooth import Blur, Gradients, TotalVariation
from .statistics import BatchNorm

__all__ = [
    "L2",
    "AlphaNorm",
    "Ball",
    "BatchNorm",
    "Blur",
    "Centre",
    "Decay",
    "Diversity",
    "Gradients",
    "Inside",
    "SmallContribution",
    "SmallNorm",
    "TotalVariation",
]
