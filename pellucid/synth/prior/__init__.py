"""Priors of pictures: penalties that are subtracted from the score, and projections that are applied after each step.

Not in here: generator priors, which are networks of their own, in `generator/`.
"""

from __future__ import annotations

from .batch_norm import BatchNorm as BatchNorm
from .centre import Centre as Centre, Inside as Inside
from .diversity import Diversity as Diversity
from .norm import L2 as L2, AlphaNorm as AlphaNorm, Ball as Ball, Decay as Decay
from .small import SmallContribution as SmallContribution, SmallNorm as SmallNorm
from .smooth import Blur as Blur, Gradients as Gradients, TotalVariation as TotalVariation
