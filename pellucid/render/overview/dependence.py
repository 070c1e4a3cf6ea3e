"""A dependence plot: the value of a column over what stands in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.explanation.overview.columns import Scatter
from ..parts.drawing import Dots, Line, Mark, Words, fitted
from ..parts.palette import FAINT, INK, PAPER, RED_BLUE
from ..parts.text import width
from .axis import Axis
from .beeswarm import GREY

TALL, LEFT, FOOT, RADIUS = 380, 76, 46, 2.6  # pixels
SPREAD = 0.28  # of a category, to either side


def dependence(data: Scatter, wide: int) -> tuple[list[Mark], float]:
    """Dots, the mean with its band, and both axes."""
    right = wide - 12
    ends = (end for one in data.means for end in one.interval)
    up = Axis.over((*data.values.tolist(), *ends), TALL, 0)
    x = places(data)
    across = Axis.over((-0.5, len(data.categories) - 0.5) if data.categories else x, LEFT, right, zero=False)
    said = "evidence: below zero against, above for" if data.signed else "evidence"
    marks: list[Mark] = [Words(20, TALL / 2 + width(said, 13) / 2, said, 13, FAINT, upward=True)]
    marks += up.beside(LEFT, right)
    marks += names(data, across) if data.categories else numbers(data, across)
    for sign in (-1, 0, 1):
        chosen = np.sign(data.values) == sign
        points = tuple((across.at(a), up.at(b)) for a, b in zip(x[chosen], data.values[chosen], strict=True))
        fill = GREY if sign == 0 else RED_BLUE.over(0.75 * sign if data.signed else 0.75, PAPER, signed=data.signed)
        marks += [Dots(points, RADIUS, fill)] if points else []
    return [*marks, *means(data, across, up)], TALL + FOOT


def places(data: Scatter) -> NDArray[np.float64]:
    """Where dots stand: at their numbers; those of a category side by side around its place."""
    if data.column.numbers is not None and not data.categories:
        return data.column.numbers
    number = {word: place for place, word in enumerate(data.categories)}
    base = np.array([number[word] for word in data.column.words], dtype=np.float64)
    golden = (np.arange(len(base)) * 0.6180339887) % 1.0  # evenly spread, without chance
    shifted: NDArray[np.float64] = base + SPREAD * (2 * golden - 1)
    return shifted


def means(data: Scatter, across: Axis, up: Axis) -> list[Mark]:
    """The line of means, of categories a bar each; and their intervals."""
    marks: list[Mark] = []
    for one in data.means:
        mean, low, high = one.interval
        x = across.at(one.middle)
        if np.isfinite(low):
            marks += [Line(((x - 4, up.at(end)), (x + 4, up.at(end))), INK) for end in (low, high)]
            marks.append(Line(((x, up.at(low)), (x, up.at(high))), INK))
        if data.categories:
            marks.append(
                Line(((across.at(one.low - SPREAD), up.at(mean)), (across.at(one.high + SPREAD), up.at(mean))), INK, 2.5)
            )
    points = tuple((across.at(one.middle), up.at(one.interval.mean)) for one in data.means)
    return [*marks, Line(points, INK, 2)] if len(points) > 1 and not data.categories else marks


def numbers(data: Scatter, across: Axis) -> list[Mark]:
    """The axis of a column of numbers."""
    unit = f" ({data.column.unit})" if data.column.unit else ""
    return across.below(TALL, TALL + 5, f"{data.column.name}{unit}")


def names(data: Scatter, across: Axis) -> list[Mark]:
    """The names of the categories."""
    room = (across.stop - across.start) / len(data.categories) - 8
    found: list[Mark] = [
        Words(across.at(n), TALL + 18, fitted(word, 13, room), 13, FAINT, "m") for n, word in enumerate(data.categories)
    ]
    return [*found, Words((across.start + across.stop) / 2, TALL + 36, data.column.name, 13, FAINT, "m")]
