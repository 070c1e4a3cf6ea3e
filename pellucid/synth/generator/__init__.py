"""Generator priors: decoders from codes, the values of a layer, to pictures; fitted to the user's model and data.

Not in here: the recipes that search for codes, `recipes/dgn_am.py` and `recipes/ppgn.py`; priors that are formulas, in `prior/`.
"""

from __future__ import annotations

from .codes import Codes as Codes
from .losses import Losses as Losses
from .prior import GeneratorPrior as GeneratorPrior
