"""The rules, one file each. A new rule is one file here and one line in `methods/lrp/__init__.py`."""

from .alphabeta import AlphaBeta as AlphaBeta
from .epsilon import Epsilon as Epsilon
from .flat import Flat as Flat
from .gamma import Gamma as Gamma
from .norm import Norm as Norm
from .softmax import Softmax as Softmax
from .standardise import Standardise as Standardise
from .structural import Gate as Gate, Halve as Halve, Native as Native, Pass as Pass, Route as Route
from .wsquare import WSquare as WSquare
from .zbox import ZBox as ZBox
from .zplus import ZPlus as ZPlus
