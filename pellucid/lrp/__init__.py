"""Layer-wise relevance propagation: what reached the decision, and how the model reacted to it."""

from .composite import Composite
from .presets import (
    Auto,
    Conserving,
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
from .rules import AlphaBeta, Epsilon, Flat, Gamma, Gate, Halve, Native, Norm, Pass, Route, WSquare, ZBox, ZPlus

__all__ = [
    "AlphaBeta",
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
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
    "propagate",
]
