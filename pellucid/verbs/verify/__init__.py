"""Verification: whether what is explained is what the network does. `verify` measures all claims; `self_check` is what every
explanation runs by itself, once per network and kind of input.

How faithful a map is to a correctly followed network is another question: see `metrics/`.
"""

from .claim import Claim as Claim, Verification as Verification
from .verify import verify as verify
