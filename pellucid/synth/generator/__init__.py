"""Generator priors: pictures told by codes of the network's own layer, and a decoder fitted to the user's model and data."""

from __future__ import annotations

from .codes import Codes as Codes
from .losses import Losses as Losses
from .prior import GeneratorPrior as GeneratorPrior
