"""Several inputs, which sheets, pages and terminals show one below the other, each as it is shown when it is alone."""

from __future__ import annotations

from dataclasses import replace

from pellucid.explanation.explanation import Explanation

SCALES = "Every input is painted on a scale of its own; the caption says how much each gives."


def inputs(e: Explanation) -> list[tuple[str, Explanation]]:
    """Every input under its name and shape, with its own explanation. The classes are those of all, and are shown once."""
    parts = [(name, replace(e.part(name), classes=())) for name in e.parts]
    return [(f"{name} ({' x '.join(map(str, part.values.shape[1:]))})", part) for name, part in parts]
