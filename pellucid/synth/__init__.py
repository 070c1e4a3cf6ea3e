"""Activation maximization: canvases, priors, robustness, ascents and recipes, and what they make.

Names are looked up when they are first used: the parts bring PyTorch, and some of them much else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .canvas import Colour, Fourier, Pixel, Spectrum
    from .frame import Frame, framed
    from .generator import GeneratorPrior
    from .maximized import Maximized, Maximizer
    from .optimize.ascent import Adam, Ascent, Normalised, Progress, Steepest
    from .optimize.result import Climbed
    from .optimize.task import Plan, Task
    from .prior import (
        L2,
        AlphaNorm,
        Ball,
        BatchNorm,
        Blur,
        Centre,
        Decay,
        Diversity,
        Gradients,
        Inside,
        SmallContribution,
        SmallNorm,
        TotalVariation,
    )
    from .protocols import Canvas, Penalty, Projection, Robustness
    from .robust import Robust

_HOMES = {
    "optimize.ascent": ("Adam", "Ascent", "Normalised", "Progress", "Steepest"),
    "canvas": ("Colour", "Fourier", "Pixel", "Spectrum"),
    "optimize.result": ("Climbed",),
    "frame": ("Frame", "framed"),
    "generator": ("GeneratorPrior",),
    "maximized": ("Maximized", "Maximizer"),
    "protocols": ("Canvas", "Penalty", "Projection", "Robustness"),
    "prior": (
        "L2", "AlphaNorm", "Ball", "BatchNorm", "Blur", "Centre", "Decay", "Diversity", "Gradients", "Inside",
        "SmallContribution", "SmallNorm", "TotalVariation",
    ),
    "robust": ("Robust",),
    "optimize.task": ("Plan", "Task"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_PACKAGES = ("canvas", "prior", "recipes")

__all__ = [
    "L2",
    "Adam",
    "AlphaNorm",
    "Ascent",
    "Ball",
    "BatchNorm",
    "Blur",
    "Canvas",
    "Centre",
    "Climbed",
    "Colour",
    "Decay",
    "Diversity",
    "Fourier",
    "Frame",
    "GeneratorPrior",
    "Gradients",
    "Inside",
    "Maximized",
    "Maximizer",
    "Normalised",
    "Penalty",
    "Pixel",
    "Plan",
    "Progress",
    "Projection",
    "Robust",
    "Robustness",
    "SmallContribution",
    "SmallNorm",
    "Spectrum",
    "Steepest",
    "Task",
    "TotalVariation",
    "canvas",
    "framed",
    "prior",
    "recipes",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name in _PACKAGES:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
