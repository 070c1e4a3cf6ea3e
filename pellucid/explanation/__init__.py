"""The answer of a method: values, target, score and ledger, its regions, uncertainty and comparison, and how it is stored.

Nothing here computes an explanation; that is done in `methods/`.
"""

from .attribution import Attribution
from .comparison import Agreement, Comparison
from .explanation import Explanation
from .ledger import Ledger, Row
from .method import Method
from .regions import Region

__all__ = ["Agreement", "Attribution", "Comparison", "Explanation", "Ledger", "Method", "Region", "Row"]
