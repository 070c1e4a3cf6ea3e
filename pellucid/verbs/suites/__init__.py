"""Suites: experiments whose answer is known, for methods to be tried on."""

from .findings import Findings as Findings
from .hidden import hidden_parts as hidden_parts
from .marks import Measure as Measure, marks as marks
from .pasted import pasted_object as pasted_object
