"""Recipes by citation: each composes a canvas, priors, robustness and an ascent as its paper did.

All of them by name are in `pellucid.catalogue.recipes`.
"""

from __future__ import annotations

from .auto import Auto as Auto
from .deepdream import DeepDream as DeepDream
from .erhan2009 import Erhan2009 as Erhan2009
from .lucid import Lucid as Lucid
from .simonyan2013 import Simonyan2013 as Simonyan2013
from .yosinski2015 import Yosinski2015 as Yosinski2015
