"""Layer-wise relevance propagation: rules for operations, composites of rules, and `lrp` alone, which chooses among them.

The tape that relevance walks back on is in `pellucid/tape`; conditions on its way are in `methods/conditional_relevance.py`.
"""

from .attnlrp import Attention as Attention
from .auto import Auto as Auto
from .composite import Composite as Composite
from .conserving import Conserving as Conserving, FittedConserving as FittedConserving
from .cp import CP as CP
from .presets import (
    DeepTaylor as DeepTaylor,
    EpsilonAlpha2Beta1 as EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat as EpsilonAlpha2Beta1Flat,
    EpsilonEverywhere as EpsilonEverywhere,
    EpsilonGammaBox as EpsilonGammaBox,
    EpsilonPlus as EpsilonPlus,
    EpsilonPlusFlat as EpsilonPlusFlat,
    ExcitationBackprop as ExcitationBackprop,
    GammaEverywhere as GammaEverywhere,
    Zero as Zero,
)
from .propagate import propagate as propagate
from .recurrent import SignalTakeAll as SignalTakeAll
from .rule import Rule as Rule, Shares as Shares
from .rules import (
    AlphaBeta as AlphaBeta,
    Epsilon as Epsilon,
    Flat as Flat,
    Gamma as Gamma,
    Gate as Gate,
    Halve as Halve,
    Native as Native,
    Norm as Norm,
    Pass as Pass,
    Route as Route,
    Softmax as Softmax,
    Standardise as Standardise,
    WSquare as WSquare,
    ZBox as ZBox,
    ZPlus as ZPlus,
)
