"""Metrics: whether explanations can be trusted. What a metric is: metric.py; the list of them: `pellucid.metric_list`."""

from .complexity import Complexity, EffectiveComplexity, Sparseness
from .curve import Curve, curves, mean_height
from .deletion import Blurred, Deletion, Insertion
from .erasure import Comprehensiveness, Sufficiency
from .experiment import Scheme
from .interval import Paired, interval, paired
from .irof import IROF
from .localisation import ROCAUC, AttributionLocalisation, EnergyPointingGame, PointingGame, RelevanceMass, RelevanceRank, TopK
from .metric import Answer, Metric, Question, Scores, question
from .pixel_flipping import PixelFlipping
from .reduction import Reduction, Removed
from .region_perturbation import ABPC, RegionPerturbation
from .relevance_gain import LRG, MRG, SRG
from .road import ROAD, ROADCombined
from .selectivity import Selectivity
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
    "Blurred",
    "Complexity",
    "Comprehensiveness",
    "Curve",
    "Deletion",
    "EffectiveComplexity",
    "EnergyPointingGame",
    "Every",
    "Insertion",
    "Log",
    "Metric",
    "Paired",
    "PixelFlipping",
    "PointingGame",
    "Question",
    "ROADCombined",
    "Reduction",
    "RegionPerturbation",
    "RelevanceMass",
    "RelevanceRank",
    "Removed",
    "Scheme",
    "Scores",
    "Selectivity",
    "Shares",
    "Sparseness",
    "Sufficiency",
    "Table",
    "Tiles",
    "TopK",
    "curves",
    "interval",
    "mean_height",
    "paired",
    "question",
]
