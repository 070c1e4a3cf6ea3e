"""Exact incremental inference: of a network's answer to a picture with one changed window, only what the window reaches."""

from .accelerate import Choice, accelerate
from .box import extents, windows_around
from .plan import Plan

__all__ = ["Choice", "Plan", "accelerate", "extents", "windows_around"]
