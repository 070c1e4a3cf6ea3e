"""Metrics: whether explanations can be trusted. What a metric is: metric.py; the list of them: `pellucid.catalogue.metrics`."""

from .complexity import Complexity, EffectiveComplexity, Sparseness
from .faithfulness.correlation import FaithfulnessCorrelation, FaithfulnessEstimate, MonotonicityCorrelation, SensitivityN
from .faithfulness.infidelity import Infidelity, Jitter, Squares
from .faithfulness.quantus import Values
from .localisation import ROCAUC, AttributionLocalisation, EnergyPointingGame, PointingGame, RelevanceMass, RelevanceRank, TopK
from .metric import Answer, Metric, Question, Scores, question
from .removal.curve import Curve, curves, mean_height
from .removal.deletion import Blurred, Deletion, Insertion
from .removal.erasure import Comprehensiveness, Sufficiency
from .removal.experiment import Scheme
from .removal.irof import IROF
from .removal.pixel_flipping import PixelFlipping
from .removal.reduction import Reduction, Removed
from .removal.region_perturbation import ABPC, RegionPerturbation
from .removal.relevance_gain import LRG, MRG, SRG
from .removal.road import ROAD, ROADCombined
from .removal.selectivity import Selectivity
from .removal.steps import Every, Log, Shares
from .removal.tiles import Tiles
from .report.interval import Paired, interval, paired
from .report.table import Table
from .sensitivity.axioms import Completeness, ImplementationInvariance, InputInvariance, NonSensitivity
from .sensitivity.randomisation import Cascade, EfficientRandomization, Randomization, RandomLogit, SmoothRandomization
from .sensitivity.robustness import AvgSensitivity, LocalLipschitz, MaxSensitivity, Neighbours
from .sensitivity.stability import RelativeInputStability, RelativeOutputStability, RelativeRepresentationStability

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
