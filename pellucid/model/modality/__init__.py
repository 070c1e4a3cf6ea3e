"""What the entries of an input are, where it is no picture: the tokens of a text, a table, a series, several inputs.

How raw texts, rows and files become such an input stands in `model.readers`; how each is painted, in `render.modality`.
"""

from __future__ import annotations

from .base import Modality
from .multi import MultiInput
from .serialization import KINDS, from_plain, to_plain
from .series import Series
from .table import Table
from .tokens import Piece, Tokens

__all__ = ["KINDS", "Modality", "MultiInput", "Piece", "Series", "Table", "Tokens", "from_plain", "to_plain"]
