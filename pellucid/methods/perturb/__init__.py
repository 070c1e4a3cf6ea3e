"""Explanation by perturbation: what happens to the target when parts of the input are taken away.

One file per method. Below them: regions/ (what is taken away), imputers/ (what stands in its place), sampling/ (which regions go
together, what the model answers, and how answers become values), incremental/ (only what a window reaches is computed), masks/
(masks found by gradient descent). Methods that ask for derivatives of the input stand in `pellucid.methods.gradient`.
"""

from .coarse_to_fine import Refined as Refined
from .dve import DVE as DVE
from .hsic import hsic as hsic
from .imputers.blur import Blur as Blur
from .imputers.conditional_gaussian import (
    ConditionalGaussian as ConditionalGaussian,
    conditional_gaussian as conditional_gaussian,
)
from .imputers.imputer import Constant as Constant, Imputer as Imputer, Mean as Mean, Own as Own
from .imputers.marginal import Marginal as Marginal, Shifted as Shifted, marginal as marginal
from .imputers.noise import Noise as Noise
from .imputers.noisy_linear import NoisyLinear as NoisyLinear
from .imputers.segment_mean import SegmentMean as SegmentMean
from .imputers.statistics import Statistics as Statistics, measured as measured
from .imputers.text import LeftOut as LeftOut
from .imputers.windows import patched as patched
from .kernel_shap import kernel_shap as kernel_shap
from .lime import lime as lime
from .masks.extremal import Extremal as Extremal
from .masks.meaningful import Meaningful as Meaningful
from .occlusion import Difference as Difference, feature_ablation as feature_ablation, occlusion as occlusion
from .pda import WeightOfEvidence as WeightOfEvidence, pda as pda
from .regions.division import (
    Along as Along,
    Division as Division,
    Entries as Entries,
    Grid as Grid,
    Groups as Groups,
    Sliding as Sliding,
    Superpixels as Superpixels,
)
from .regions.regions import Cells as Cells, Partition as Partition, Regions as Regions, Windows as Windows
from .regions.text import OfText as OfText, sentences as sentences, words as words
from .rise import rise as rise
from .sampling.design import Bernoulli as Bernoulli, Design as Design, OneOut as OneOut
from .sampling.estimator import Estimate as Estimate, Estimator as Estimator
from .sampling.perturbation import Perturbation as Perturbation
from .sampling.responses import Responses as Responses
from .sampling.run import Run as Run
from .sampling.study import Study as Study
from .shapley import shapley as shapley
from .sobol import sobol as sobol

# how users ask for imputers
constant, mean, segment_mean, blur, noise, noisy_linear = Constant, Mean, SegmentMean, Blur, Noise, NoisyLinear
