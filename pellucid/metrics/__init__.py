"""Metrics: whether explanations can be trusted. What a metric is: metric.py; the list of them: `pellucid.catalogue.metrics`."""

from .axioms import Completeness, ImplementationInvariance, InputInvariance, NonSensitivity
from .complexity import Complexity, EffectiveComplexity, Sparseness
from .correlation import FaithfulnessCorrelation, FaithfulnessEstimate, MonotonicityCorrelation, SensitivityN
from .curve import Curve, curves, mean_height
from .deletion import Blurred, Deletion, Insertion
from .erasure import Comprehensiveness, Sufficiency
from .experiment import Scheme
from .infidelity import Infidelity, Jitter, Squares
from .interval import Paired, interval, paired
from .irof import IROF
from .localisation import ROCAUC, AttributionLocalisation, EnergyPointingGame, PointingGame, RelevanceMass, RelevanceRank, TopK
from .metric import Answer, Metric, Question, Scores, question
from .pixel_flipping import PixelFlipping
from .quantus import Values
from .randomisation import Cascade, EfficientRandomization, Randomization, RandomLogit, SmoothRandomization
from .reduction import Reduction, Removed
from .region_perturbation import ABPC, RegionPerturbation
from .relevance_gain import LRG, MRG, SRG
from .road import ROAD, ROADCombined
from .robustness import AvgSensitivity, LocalLipschitz, MaxSensitivity, Neighbours
from .selectivity import Selectivity
from .stability import RelativeInputStability, RelativeOutputStability, RelativeRepresentationStability
from .steps import Every, Log, Shares
from .table import Table
from .tiles import Tiles

__all__ = [
    "ABPC",
    "IROF",
    "LRG",
    "MRG",
    "ROAD",
    "ROCAUC",
    "SRG",
    "Answer",
    "AttributionLocalisation",
    "AvgSensitivity",
    "Blurred",
    "Cascade",
    "Completeness",
    "Complexity",
    "Comprehensiveness",
    "Curve",
    "Deletion",
    "EffectiveComplexity",
    "EfficientRandomization",
    "EnergyPointingGame",
    "Every",
    "FaithfulnessCorrelation",
    "FaithfulnessEstimate",
    "ImplementationInvariance",
    "Infidelity",
    "InputInvariance",
    "Insertion",
    "Jitter",
    "LocalLipschitz",
    "Log",
    "MaxSensitivity",
    "Metric",
    "MonotonicityCorrelation",
    "Neighbours",
    "NonSensitivity",
    "Paired",
    "PixelFlipping",
    "PointingGame",
    "Question",
    "ROADCombined",
    "RandomLogit",
    "Randomization",
    "Reduction",
    "RegionPerturbation",
    "RelativeInputStability",
    "RelativeOutputStability",
    "RelativeRepresentationStability",
    "RelevanceMass",
    "RelevanceRank",
    "Removed",
    "Scheme",
    "Scores",
    "Selectivity",
    "SensitivityN",
    "Shares",
    "SmoothRandomization",
    "Sparseness",
    "Squares",
    "Sufficiency",
    "Table",
    "Tiles",
    "TopK",
    "Values",
    "curves",
    "interval",
    "mean_height",
    "paired",
    "question",
]
