"""Imputers: what stands where something was taken away. One file each; the lower-case names are how users ask for them.

How inputs are divided stands in `regions/`; a number, a tensor or a function becomes an imputer in `convert.py`.
"""

from .blur import Blur as Blur
from .conditional_gaussian import ConditionalGaussian as ConditionalGaussian, conditional_gaussian as conditional_gaussian
from .imputer import Constant as Constant, Mean as Mean
from .marginal import Marginal as Marginal, Shifted as Shifted, marginal as marginal
from .noise import Noise as Noise
from .noisy_linear import NoisyLinear as NoisyLinear
from .segment_mean import SegmentMean as SegmentMean
from .statistics import Statistics as Statistics, measured as measured
from .windows import patched as patched

constant, mean, segment_mean, blur, noise, noisy_linear = Constant, Mean, SegmentMean, Blur, Noise, NoisyLinear
