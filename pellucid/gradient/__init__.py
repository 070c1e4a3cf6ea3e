"""Explanation by gradients, and the measures of variation around them."""

from .deeplift import DeepLift
from .deepshap import DeepShap
from .expected import Expected
from .guided import Deconvnet, GuidedBackprop
from .noise import Noisy, OverBaselines, SmoothGrad, SmoothGradSquared, VarGrad
from .paths import Integrated
from .saliency import Gradient, GradientXInput, Saliency, Sensitivity
from .taylor import SimpleTaylor
from .variation import FiniteDifferences, LocalVariance

__all__ = [
    "Deconvnet",
    "DeepLift",
    "DeepShap",
    "Expected",
    "FiniteDifferences",
    "Gradient",
    "GradientXInput",
    "GuidedBackprop",
    "Integrated",
    "LocalVariance",
    "Noisy",
    "OverBaselines",
    "Saliency",
    "Sensitivity",
    "SimpleTaylor",
    "SmoothGrad",
    "SmoothGradSquared",
    "VarGrad",
]
