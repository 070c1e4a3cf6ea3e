"""Explanation by perturbation: what happens to the target when parts of the input are taken away."""

from .coarse_to_fine import Refined
from .dve import DVE
from .hsic import hsic
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
from .imputers.imputer import Constant, Imputer, Mean, Own
from .imputers.text import LeftOut
from .kernel_shap import kernel_shap
from .lime import lime
from .masks.extremal import Extremal
from .masks.meaningful import Meaningful
from .occlusion import Difference, feature_ablation, occlusion
from .pda import WeightOfEvidence, pda
from .regions.division import Along, Division, Entries, Grid, Groups, Sliding, Superpixels
from .regions.regions import Cells, Partition, Regions, Windows
from .regions.text import OfText, sentences, words
from .rise import rise
from .sampling.design import Bernoulli, Design, OneOut
from .sampling.estimator import Estimate, Estimator
from .sampling.perturbation import Perturbation
from .sampling.responses import Responses
from .sampling.run import Run
from .sampling.study import Study
from .shapley import shapley
from .sobol import sobol

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
