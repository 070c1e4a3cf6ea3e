"""Explanation by perturbation: what happens to the target when parts of the input are taken away."""

from .design import Bernoulli, Design, OneOut
from .difference import Difference, feature_ablation, occlusion
from .division import Along, Division, Entries, Grid, Groups, Sliding, Superpixels
from .dve import DVE
from .extremal import Extremal
from .hsic import hsic
from .imputer import Constant, Imputer, Mean, Own
from .imputers import (
    Blur,
    ConditionalGaussian,
    Marginal,
    Noise,
    NoisyLinear,
    SegmentMean,
    Shifted,
    Statistics,
    blur,
    conditional_gaussian,
    constant,
    marginal,
    mean,
    measured,
    noise,
    noisy_linear,
    patched,
    segment_mean,
)
from .kernel_shap import kernel_shap
from .lime import lime
from .meaningful import Meaningful
from .pda import WeightOfEvidence, pda
from .perturbation import Perturbation
from .refined import Refined
from .regions import Cells, Partition, Regions, Windows
from .responses import Estimate, Estimator, Responses, Study
from .rise import rise
from .run import Run
from .shapley import shapley
from .sobol import sobol
from .wording import LeftOut, OfText, sentences, words

__all__ = [
    "DVE",
    "Along",
    "Bernoulli",
    "Blur",
    "Cells",
    "ConditionalGaussian",
    "Constant",
    "Design",
    "Difference",
    "Division",
    "Entries",
    "Estimate",
    "Estimator",
    "Extremal",
    "Grid",
    "Groups",
    "Imputer",
    "LeftOut",
    "Marginal",
    "Mean",
    "Meaningful",
    "Noise",
    "NoisyLinear",
    "OfText",
    "OneOut",
    "Own",
    "Partition",
    "Perturbation",
    "Refined",
    "Regions",
    "Responses",
    "Run",
    "SegmentMean",
    "Shifted",
    "Sliding",
    "Statistics",
    "Study",
    "Superpixels",
    "WeightOfEvidence",
    "Windows",
    "blur",
    "conditional_gaussian",
    "constant",
    "feature_ablation",
    "hsic",
    "kernel_shap",
    "lime",
    "marginal",
    "mean",
    "measured",
    "noise",
    "noisy_linear",
    "occlusion",
    "patched",
    "pda",
    "rise",
    "segment_mean",
    "sentences",
    "shapley",
    "sobol",
    "words",
]
