"""Recipes by citation: each composes a canvas, priors, robustness and an ascent as its paper did, and climbs."""

from __future__ import annotations

from .auto import Auto
from .deepdream import DeepDream
from .erhan2009 import Erhan2009
from .lucid import Lucid
from .simonyan2013 import Simonyan2013
from .yosinski2015 import Yosinski2015

__all__ = ["Auto", "DeepDream", "Erhan2009", "Lucid", "Simonyan2013", "Yosinski2015"]
