"""The rules, one file each. A new rule is one file here and one line below."""

from .alphabeta import AlphaBeta
from .epsilon import Epsilon
from .flat import Flat
from .gamma import Gamma
from .norm import Norm
from .softmax import Softmax
from .standardise import Standardise
from .structural import Gate, Halve, Native, Pass, Route
from .wsquare import WSquare
from .zbox import ZBox
from .zplus import ZPlus

__all__ = [
    "AlphaBeta",
    "Epsilon",
    "Flat",
    "Gamma",
    "Gate",
    "Halve",
    "Native",
    "Norm",
    "Pass",
    "Route",
    "Softmax",
    "Standardise",
    "WSquare",
    "ZBox",
    "ZPlus",
]
