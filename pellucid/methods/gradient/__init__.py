"""Explanation by gradients, and the measures of variation around them."""

from .deeplift import DeepLift
from .deepshap import DeepShap
from .expected import Expected
from .finite_differences import FiniteDifferences, LocalVariance
from .guided import Deconvnet, GuidedBackprop
from .integrated import Integrated
from .noise import Noisy, OverBaselines, SmoothGrad, SmoothGradSquared, VarGrad
from .saliency import Gradient, GradientXInput, Saliency, Sensitivity
from .taylor import SimpleTaylor

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
