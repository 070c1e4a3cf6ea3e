"""The answer of a method: values, target, score and ledger, its regions, uncertainty and comparison, and how it is stored.

Nothing here computes an explanation; that is done in `methods/`.
"""

from .attribution import Attribution as Attribution
from .comparison import Agreement as Agreement, Comparison as Comparison
from .explanation import Explanation as Explanation
from .ledger import Ledger as Ledger, Row as Row
from .method import Method as Method
from .regions import Region as Region
