"""pellucid makes deep neural networks legible: what a network looks for, why it recommends what it does, and whether the answer
can be trusted.

Names are looked up when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "verbs": ("compare", "explain"),
    "evaluation": ("evaluate",),
    "auto": ("Auto",),
    "maximizing": ("maximize",),
    "cookbook": ("recipes",),
    "synth.maximized": ("Maximized",),
    "exemplars": ("examples",),
    "concept": ("Concept", "Concepts", "concepts"),
    "synth.example": ("Example", "Examples"),
    "synth.trust": ("Trust",),
    "suite": ("hidden_parts", "pasted_object"),
    "card": ("Card", "inspect"),
    "explanation.comparison": ("Agreement", "Comparison"),
    "explanation.regions": ("Region",),
    "model": ("Column", "Columns", "Model", "Preprocess", "Signal", "Text", "Vocabulary", "held", "load"),
    "model.where": ("Where",),
    "target.condition": ("area", "channels", "heads", "positions"),
    "target": (
        *("Target", "box", "channel", "detection", "direction", "energy", "log_odds", "logit", "mask", "output", "probability"),
        *("similarity", "step", "token"),
    ),
    "explanation.explanation": ("Explanation",),
    "explanation.ledger": ("Ledger",),
    "tape": ("record",),
    "catalogue": ("methods",),
    "errors": (
        "InputError",
        "MethodError",
        "MissingExtra",
        "ModelError",
        "NoRule",
        "OutputError",
        "PellucidError",
        "PictureError",
        "TargetError",
        "ThreadLost",
        "WhereError",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_PACKAGES = {
    name: name for name in ("gradient", "lrp", "perturb", "cam", "metrics", "suite", "synth", "testing", "render", "zoo")
}
_PACKAGES |= {"catalogue": "catalogue", "errors": "errors", "tape": "tape", "truth": "zoo.truth"}

__all__ = [
    "Agreement",
    "Auto",
    "Card",
    "Column",
    "Columns",
    "Comparison",
    "Concept",
    "Concepts",
    "Example",
    "Examples",
    "Explanation",
    "InputError",
    "Ledger",
    "Maximized",
    "MethodError",
    "MissingExtra",
    "Model",
    "ModelError",
    "NoRule",
    "OutputError",
    "PellucidError",
    "PictureError",
    "Preprocess",
    "Region",
    "Signal",
    "Target",
    "TargetError",
    "Text",
    "ThreadLost",
    "Trust",
    "Vocabulary",
    "Where",
    "WhereError",
    "__version__",
    "area",
    "box",
    "cam",
    "channel",
    "channels",
    "compare",
    "concepts",
    "detection",
    "direction",
    "energy",
    "evaluate",
    "examples",
    "explain",
    "gradient",
    "heads",
    "held",
    "hidden_parts",
    "inspect",
    "load",
    "log_odds",
    "logit",
    "lrp",
    "mask",
    "maximize",
    "methods",
    "metrics",
    "output",
    "pasted_object",
    "perturb",
    "positions",
    "probability",
    "recipes",
    "record",
    "render",
    "similarity",
    "step",
    "suite",
    "synth",
    "testing",
    "token",
    "truth",
    "zoo",
]

if TYPE_CHECKING:
    from .auto import Auto
    from .card import Card, inspect
    from .catalogue import methods
    from .concept import Concept, Concepts, concepts
    from .cookbook import recipes
    from .errors import (
        InputError,
        MethodError,
        MissingExtra,
        ModelError,
        NoRule,
        OutputError,
        PellucidError,
        PictureError,
        TargetError,
        ThreadLost,
        WhereError,
    )
    from .evaluation import evaluate
    from .exemplars import examples
    from .explanation.comparison import Agreement, Comparison
    from .explanation.explanation import Explanation
    from .explanation.ledger import Ledger
    from .explanation.regions import Region
    from .maximizing import maximize
    from .model import Column, Columns, Model, Preprocess, Signal, Text, Vocabulary, held, load
    from .model.where import Where
    from .suite import hidden_parts, pasted_object
    from .synth.example import Example, Examples
    from .synth.maximized import Maximized
    from .synth.trust import Trust
    from .tape import record
    from .target import (
        Target,
        box,
        channel,
        detection,
        direction,
        energy,
        log_odds,
        logit,
        mask,
        output,
        probability,
        similarity,
        step,
        token,
    )
    from .target.condition import area, channels, heads, positions
    from .verbs import compare, explain
    from .zoo import truth


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name in _PACKAGES:
        value = import_module(f".{_PACKAGES[name]}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
