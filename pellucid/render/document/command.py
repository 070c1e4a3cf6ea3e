"""What recomputes a result: the line for the shell, and the lines of Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.explanation.explanation import Explanation
from . import schema


def command(e: Explanation) -> schema.Command:
    """Of an explanation."""
    return of_call(e.provenance)


def of_call(provenance: Mapping[str, Any]) -> schema.Command:
    """Of what a provenance says."""
    return schema.Command(cli=None, python="")
