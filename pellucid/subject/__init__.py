"""What stands beneath the values, where it is no picture: the tokens of a text."""

from __future__ import annotations

from pellucid.subject.noun import Subject, restored, stored
from pellucid.subject.tokens import Piece, Tokens

#: Every kind by its name, for files: a new one is its file, a line here, and a painter in `pellucid.render.subjects`.
KINDS: dict[str, type[Subject]] = {one.kind: one for one in (Tokens,)}

__all__ = ["KINDS", "Piece", "Subject", "Tokens", "restored", "stored"]
