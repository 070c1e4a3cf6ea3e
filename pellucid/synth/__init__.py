"""Activation maximization: canvases, priors, robustness, ascents and recipes, and what they make.

The names below are imported when they are first used: the parts bring PyTorch, and some of them much else.
"""

from typing import TYPE_CHECKING

from pellucid.core.lazy import lazy

globals().update(lazy(__name__))

if TYPE_CHECKING:
    from . import canvas as canvas
    from . import prior as prior
    from . import recipes as recipes
    from .canvas import Colour as Colour
    from .canvas import Fourier as Fourier
    from .canvas import Pixel as Pixel
    from .canvas import Spectrum as Spectrum
    from .frame import Frame as Frame
    from .frame import framed as framed
    from .generator import GeneratorPrior as GeneratorPrior
    from .maximized import Maximized as Maximized
    from .maximized import Maximizer as Maximizer
    from .optimize.ascent import Adam as Adam
    from .optimize.ascent import Ascent as Ascent
    from .optimize.ascent import Normalised as Normalised
    from .optimize.ascent import Progress as Progress
    from .optimize.ascent import Steepest as Steepest
    from .optimize.result import OptimizationResult as OptimizationResult
    from .optimize.task import Plan as Plan
    from .optimize.task import Task as Task
    from .prior import L2 as L2
    from .prior import AlphaNorm as AlphaNorm
    from .prior import Ball as Ball
    from .prior import BatchNorm as BatchNorm
    from .prior import Blur as Blur
    from .prior import Centre as Centre
    from .prior import Decay as Decay
    from .prior import Diversity as Diversity
    from .prior import Gradients as Gradients
    from .prior import Inside as Inside
    from .prior import SmallContribution as SmallContribution
    from .prior import SmallNorm as SmallNorm
    from .prior import TotalVariation as TotalVariation
    from .protocols import Canvas as Canvas
    from .protocols import Penalty as Penalty
    from .protocols import Projection as Projection
    from .protocols import Robustness as Robustness
    from .robust import Robust as Robust
