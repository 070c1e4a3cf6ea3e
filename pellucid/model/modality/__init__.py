"""What stands beneath the values, where it is no picture: the tokens of a text, a table, a curve, several inputs."""

from __future__ import annotations

from .base import Subject, restored, stored
from .multi import Sides
from .series import Curves
from .table import Table
from .tokens import Piece, Tokens

#: Every kind by its name, for files: a new one is its file, a line here, and a painter in `pellucid.render.modality.painters`.
KINDS: dict[str, type[Subject]] = {one.kind: one for one in (Tokens, Sides, Table, Curves)}

__all__ = ["KINDS", "Curves", "Piece", "Sides", "Subject", "Table", "Tokens", "restored", "stored"]
