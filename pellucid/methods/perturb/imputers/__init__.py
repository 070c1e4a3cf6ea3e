"""Imputers: what stands where something was taken away. One file each; the lower-case names are how users ask for them."""

from .blur import Blur
from .conditional_gaussian import ConditionalGaussian, conditional_gaussian
from .imputer import Constant, Mean
from .marginal import Marginal, Shifted, marginal
from .noise import Noise
from .noisy_linear import NoisyLinear
from .segment_mean import SegmentMean
from .statistics import Statistics, measured
from .windows import patched

constant, mean, segment_mean, blur, noise, noisy_linear = Constant, Mean, SegmentMean, Blur, Noise, NoisyLinear

__all__ = [
    "Blur",
    "ConditionalGaussian",
    "Constant",
    "Marginal",
    "Mean",
    "Noise",
    "NoisyLinear",
    "SegmentMean",
    "Shifted",
    "Statistics",
    "blur",
    "conditional_gaussian",
    "constant",
    "marginal",
    "mean",
    "measured",
    "noise",
    "noisy_linear",
    "patched",
    "segment_mean",
]
