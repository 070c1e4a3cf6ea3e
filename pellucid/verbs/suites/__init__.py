"""Suites: experiments whose answer is known, for methods to be tried on."""

from .findings import Findings
from .hidden import hidden_parts
from .marks import Measure, marks
from .pasted import pasted_object

__all__ = ["Findings", "Measure", "hidden_parts", "marks", "pasted_object"]
