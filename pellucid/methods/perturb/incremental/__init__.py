"""Exact incremental inference: of a network's answer to a picture with one changed window, only what the window reaches."""

from .accelerate import Choice as Choice, accelerate as accelerate
from .box import extents as extents, windows_around as windows_around
from .plan import Plan as Plan
