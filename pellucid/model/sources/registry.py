"""Models by name: the built-in ones, and the hubs by the word before the colon. A new source is its file, and a line here.

What a file or an object in memory is, `model.load` sees by itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Name -> "module:function" that makes the Model.
BUILT_IN = {f"efficientnet_lite{n}": f"pellucid.zoo:efficientnet_lite{n}" for n in range(3)}

#: Word -> "module:function" that makes it of a `Reference`, and whether code may be trusted.
HUBS = {
    "timm": "pellucid.model.sources.timm:load",
    "torchvision": "pellucid.model.sources.torchvision:load",
    "hf": "pellucid.model.sources.huggingface:load",
    "gguf": "pellucid.model.sources.gguf:load",
}


def find(where: str) -> Any:
    """The function of an entry."""
    module, name = where.split(":")
    return getattr(import_module(module), name)
