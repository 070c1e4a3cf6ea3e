"""Methods of gradients: at one point, integrated, over noise, by the multipliers of DeepLIFT, or by finite differences."""

from .deeplift import DeepLift as DeepLift
from .deepshap import DeepShap as DeepShap
from .expected import Expected as Expected
from .finite_differences import FiniteDifferences as FiniteDifferences, LocalVariance as LocalVariance
from .guided import Deconvnet as Deconvnet, GuidedBackprop as GuidedBackprop
from .integrated import Integrated as Integrated
from .noise import (
    Noisy as Noisy,
    OverBaselines as OverBaselines,
    SmoothGrad as SmoothGrad,
    SmoothGradSquared as SmoothGradSquared,
    VarGrad as VarGrad,
)
from .saliency import Gradient as Gradient, GradientXInput as GradientXInput, Saliency as Saliency, Sensitivity as Sensitivity
from .taylor import SimpleTaylor as SimpleTaylor
