"""Activation maximization: canvases, priors, robustness, step rules, generators and recipes; examples and trust reports.

Not in here: what is maximized, in `pellucid.target`; the verb, in `pellucid.verbs.maximize`; sheets, in `pellucid.render`.
The names below are imported when they are first used: the parts bring PyTorch, and some of them much else.
"""

from typing import TYPE_CHECKING

from pellucid.core.lazy import lazy

globals().update(lazy(__name__))

if TYPE_CHECKING:
    from . import canvas as canvas, prior as prior, recipes as recipes
    from .canvas import Colour as Colour, Fourier as Fourier, Pixel as Pixel, Spectrum as Spectrum
    from .frame import Frame as Frame, framed as framed
    from .generator import GeneratorPrior as GeneratorPrior
    from .maximized import Maximized as Maximized, Maximizer as Maximizer
    from .optimize.result import OptimizationResult as OptimizationResult
    from .optimize.step_rules import (
        Adam as Adam,
        Ascent as Ascent,
        Normalised as Normalised,
        Progress as Progress,
        Steepest as Steepest,
    )
    from .optimize.task import Plan as Plan, Task as Task
    from .prior import (
        L2 as L2,
        AlphaNorm as AlphaNorm,
        Ball as Ball,
        BatchNorm as BatchNorm,
        Blur as Blur,
        Centre as Centre,
        Decay as Decay,
        Diversity as Diversity,
        Gradients as Gradients,
        Inside as Inside,
        SmallContribution as SmallContribution,
        SmallNorm as SmallNorm,
        TotalVariation as TotalVariation,
    )
    from .protocols import Canvas as Canvas, Penalty as Penalty, Projection as Projection, Robustness as Robustness
    from .robust import Robust as Robust
