"""Exact incremental inference: the output for a picture with one changed window, by computing only what the window reaches.

`accelerate` decides whether that is exact and worth it, `Plan` computes; `guard` refuses networks whose path depends on the
values. Which rules an operation has stands in `schedule`. Nothing here knows of regions, imputers or methods.
"""

from .accelerate import Choice as Choice, accelerate as accelerate
from .box import extents as extents, windows_around as windows_around
from .plan import Plan as Plan
