"""What recomputes a result: the line for the shell, and the lines of Python."""

from __future__ import annotations

from pellucid.explanation.explanation import Explanation
from . import schema


def command(e: Explanation) -> schema.Command:
    """Of an explanation."""
    return schema.Command(cli=None, python="")
