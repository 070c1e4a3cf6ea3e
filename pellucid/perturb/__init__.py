"""Explanation by perturbation: what happens to the target when parts of the input are taken away."""

from .design import Bernoulli, Design, OneOut
from .difference import Difference, feature_ablation, occlusion
from .dve import DVE
from .imputer import Constant, Imputer, Mean, Own
from .perturbation import Perturbation
from .regions import Along, Cells, Division, Entries, Grid, Groups, Partition, Regions, Sliding, Superpixels, Windows
from .responses import Estimate, Estimator, Responses, Study

__all__ = [
    "DVE",
    "Along",
    "Bernoulli",
    "Cells",
    "Constant",
    "Design",
    "Difference",
    "Division",
    "Entries",
    "Estimate",
    "Estimator",
    "Grid",
    "Groups",
    "Imputer",
    "Mean",
    "OneOut",
    "Own",
    "Partition",
    "Perturbation",
    "Regions",
    "Responses",
    "Sliding",
    "Study",
    "Superpixels",
    "Windows",
    "feature_ablation",
    "occlusion",
]
