"""pellucid makes deep neural networks legible: what a network looks for, why it recommends what it does, and whether the answer
can be trusted.

Names are looked up when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "verbs.explain": ("explain",),
    "verbs.compare": ("compare",),
    "verbs.evaluate": ("evaluate",),
    "verbs.auto": ("Auto",),
    "verbs.maximize": ("maximize",),
    "catalogue.recipes": ("recipes",),
    "synth.maximized": ("Maximized",),
    "verbs.examples": ("examples",),
    "verbs.concepts": ("Concept", "Concepts", "concepts"),
    "synth.examples.example": ("Example", "Examples"),
    "synth.trust.trust": ("Trust",),
    "verbs.suites": ("hidden_parts", "pasted_object"),
    "verbs.inspect": ("Card", "inspect"),
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
_PACKAGES = {name: f"methods.{name}" for name in ("cam", "gradient", "lrp", "perturb")}
_PACKAGES |= {name: name for name in ("catalogue", "errors", "methods", "metrics", "render", "synth", "tape", "testing", "zoo")}
_PACKAGES |= {"suite": "verbs.suites", "truth": "zoo.truth"}

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
    from .catalogue.methods import methods
    from .catalogue.recipes import recipes
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
    from .explanation.comparison import Agreement, Comparison
    from .explanation.explanation import Explanation
    from .explanation.ledger import Ledger
    from .explanation.regions import Region
    from .model import Column, Columns, Model, Preprocess, Signal, Text, Vocabulary, held, load
    from .model.where import Where
    from .synth.examples.example import Example, Examples
    from .synth.maximized import Maximized
    from .synth.trust.trust import Trust
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
    from .verbs.auto import Auto
    from .verbs.compare import compare
    from .verbs.concepts import Concept, Concepts, concepts
    from .verbs.evaluate import evaluate
    from .verbs.examples import examples
    from .verbs.explain import explain
    from .verbs.inspect import Card, inspect
    from .verbs.maximize import maximize
    from .verbs.suites import hidden_parts, pasted_object
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
