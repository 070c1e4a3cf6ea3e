"""Layer-wise relevance propagation: what reached the decision, and how the model reacted to it."""

from .attention import Attention
from .auto import Auto
from .composite import Composite
from .conserving import Conserving, FittedConserving
from .cp import CP
from .presets import (
    DeepTaylor,
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonEverywhere,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    ExcitationBackprop,
    GammaEverywhere,
    Zero,
)
from .propagate import propagate
from .recurrent import SignalTakeAll
from .rule import Rule, Shares
from .rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Gate,
    Halve,
    Native,
    Norm,
    Pass,
    Route,
    Softmax,
    Standardise,
    WSquare,
    ZBox,
    ZPlus,
)

__all__ = [
    "CP",
    "AlphaBeta",
    "Attention",
    "Auto",
    "Composite",
    "Conserving",
    "DeepTaylor",
    "Epsilon",
    "EpsilonAlpha2Beta1",
    "EpsilonAlpha2Beta1Flat",
    "EpsilonEverywhere",
    "EpsilonGammaBox",
    "EpsilonPlus",
    "EpsilonPlusFlat",
    "ExcitationBackprop",
    "FittedConserving",
    "Flat",
    "Gamma",
    "GammaEverywhere",
    "Gate",
    "Halve",
    "Native",
    "Norm",
    "Pass",
    "Route",
    "Rule",
    "Shares",
    "SignalTakeAll",
    "Softmax",
    "Standardise",
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
    "propagate",
]
