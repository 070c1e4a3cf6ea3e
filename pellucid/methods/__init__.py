"""The methods, a folder per family: lrp, gradient, cam, perturb. They never import one another; what they share lies below.

`pl.methods()` lists them: the name is the folder's, so the folder can be called.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Listed(ModuleType):
    def __call__(self) -> Any:
        """All methods, those of plug-ins too, as entries of the catalogue."""
        return import_module("pellucid.catalogue.methods").methods()


sys.modules[__name__].__class__ = _Listed
