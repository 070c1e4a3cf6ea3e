"""Programs: functions of tensors as straight lines of calls to PyTorch, traced once and run again without their own code.

A line holds as long as every number that the code looked at says the same. `tracer.py` writes down what ran, `source.py` makes
Python of it, `program.py` keeps the lines of one function and takes the one that fits.
"""

from .program import NO_LINE as NO_LINE, Program as Program
from .tracer import Untraceable as Untraceable, decision as decision, depends_on_inputs as depends_on_inputs
