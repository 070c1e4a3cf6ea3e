"""The methods, a folder per family: lrp, gradient, cam, perturb. They never import one another; what they share lies below.

The protocol of a method is in `explanation/method.py`. `pl.methods()` lists them: the folder has the name, so it can be called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.catalogue import Entry


class CallablePackage(ModuleType):
    def __call__(self) -> tuple[Entry, ...]:
        """All methods, those of plug-ins too, as entries of the catalogue."""
        found: tuple[Entry, ...] = import_module("pellucid.catalogue.methods").methods()
        return found


sys.modules[__name__].__class__ = CallablePackage
