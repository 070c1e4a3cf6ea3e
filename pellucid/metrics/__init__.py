"""Metrics: whether explanations can be trusted, measured on the user's model and samples.

What a metric is: metric.py. removal/ and faithfulness/ change the input and run the model, sensitivity/ explains again, the
others look at the map alone or at where the truth lies; report/ makes tables and advice of the scores. The list of all metrics
is `catalogue.metrics`, the verb `verbs.evaluate`; no concrete method is known here.
"""

from .complexity import Complexity as Complexity, EffectiveComplexity as EffectiveComplexity, Sparseness as Sparseness
from .faithfulness.correlation import (
    FaithfulnessCorrelation as FaithfulnessCorrelation,
    FaithfulnessEstimate as FaithfulnessEstimate,
    MonotonicityCorrelation as MonotonicityCorrelation,
    SensitivityN as SensitivityN,
)
from .faithfulness.infidelity import Infidelity as Infidelity, Jitter as Jitter, Squares as Squares
from .faithfulness.quantus import Values as Values
from .localisation import (
    ROCAUC as ROCAUC,
    AttributionLocalisation as AttributionLocalisation,
    EnergyPointingGame as EnergyPointingGame,
    PointingGame as PointingGame,
    RelevanceMass as RelevanceMass,
    RelevanceRank as RelevanceRank,
    TopK as TopK,
)
from .metric import Answer as Answer, Metric as Metric, Question as Question, Scores as Scores, question as question
from .removal.curve import Curve as Curve, curves as curves, mean_height as mean_height
from .removal.deletion import Blurred as Blurred, Deletion as Deletion, Insertion as Insertion
from .removal.erasure import Comprehensiveness as Comprehensiveness, Sufficiency as Sufficiency
from .removal.experiment import Scheme as Scheme
from .removal.irof import IROF as IROF
from .removal.pixel_flipping import PixelFlipping as PixelFlipping
from .removal.reduction import Reduction as Reduction, Removed as Removed
from .removal.region_perturbation import ABPC as ABPC, RegionPerturbation as RegionPerturbation
from .removal.relevance_gain import LRG as LRG, MRG as MRG, SRG as SRG
from .removal.road import ROAD as ROAD, ROADCombined as ROADCombined
from .removal.selectivity import Selectivity as Selectivity
from .removal.steps import Every as Every, Log as Log, Shares as Shares
from .removal.tiles import Tiles as Tiles
from .report.interval import Paired as Paired, interval as interval, paired as paired
from .report.table import Table as Table
from .sensitivity.axioms import (
    Completeness as Completeness,
    ImplementationInvariance as ImplementationInvariance,
    InputInvariance as InputInvariance,
    NonSensitivity as NonSensitivity,
)
from .sensitivity.randomisation import (
    Cascade as Cascade,
    EfficientRandomization as EfficientRandomization,
    Randomization as Randomization,
    RandomLogit as RandomLogit,
    SmoothRandomization as SmoothRandomization,
)
from .sensitivity.robustness import (
    AvgSensitivity as AvgSensitivity,
    LocalLipschitz as LocalLipschitz,
    MaxSensitivity as MaxSensitivity,
    Neighbours as Neighbours,
)
from .sensitivity.stability import (
    RelativeInputStability as RelativeInputStability,
    RelativeOutputStability as RelativeOutputStability,
    RelativeRepresentationStability as RelativeRepresentationStability,
)
