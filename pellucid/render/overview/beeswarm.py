"""A beeswarm: a line of dots per column, pushed apart where they crowd."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.explanation.overview.columns import Swarm, Swarms
from ..parts.drawing import Dots, Line, Mark, Raster, Words, fitted
from ..parts.palette import FAINT, HAIR, INK, Colour, Pixels
from ..parts.text import width
from .axis import Axis

ROW, SIZE, RADIUS, FOOT = 42, 15, 2.5, 76  # pixels
NAMES = 0.34  # share of the width that names may take
COLOURS = 16  # steps of the scale of colours
GREY: Colour = (140, 145, 152)
# Of what stands in a column, from low to high: apart for red-green blind readers, and none of the hues of evidence.
ENDS = np.array([(0, 124, 134), (184, 182, 170), (214, 98, 0)], dtype=np.float64)


def beeswarm(swarms: Swarms, wide: int) -> tuple[list[Mark], float]:
    """The lines over their axis, and the scale of colours."""
    names = min(round(NAMES * wide), 16 + round(max(width(line.name, SIZE) for line in swarms.lines)))
    every = np.concatenate([line.values for line in swarms.lines])
    axis, bottom = Axis.over((every.min(), every.max()), names + 8, wide - 12), ROW * len(swarms.lines)
    said = "evidence: below zero against, above zero for" if swarms.signed else "evidence"
    marks: list[Mark] = axis.below(0, bottom, said)
    for place, line in enumerate(swarms.lines):
        middle = ROW * (place + 0.5)
        last = bool(swarms.rest) and place + 1 == len(swarms.lines)
        marks.append(Line(((axis.start, middle), (axis.stop, middle)), HAIR))
        marks.append(Words(names - 8, middle + 5, fitted(line.name, SIZE, names - 8), SIZE, FAINT if last else INK, "r"))
        marks += dots(line, axis, middle)
    known = any(np.isfinite(line.level).any() for line in swarms.lines)
    return marks + (colour_scale(wide, bottom + FOOT - 10) if known else []), bottom + (FOOT if known else 44)


def dots(line: Swarm, axis: Axis, middle: float) -> list[Mark]:
    """The dots of one column, grouped by colour."""
    x = np.array([axis.at(value) for value in line.values])
    y = middle + apart(x)
    step = np.where(np.isfinite(line.level), np.floor(np.nan_to_num(line.level) * (COLOURS - 1e-9)), -1).astype(int)
    made: list[Mark] = []
    for level in sorted(set(step.tolist())):
        points = tuple((float(a), float(b)) for a, b in zip(x[step == level], y[step == level], strict=True))
        made.append(Dots(points, RADIUS, GREY if level < 0 else colour((level + 0.5) / COLOURS)))
    return made


def apart(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far up or down each dot moves: those of one stretch of pixels stand over one another, around the line.

    Example:
        >>> apart(np.array([10.0, 10.0, 50.0])).tolist()
        [0.0, -5.0, 0.0]
    """
    bins = np.floor(x / (2 * RADIUS)).astype(int)
    place = np.zeros(len(x))
    for one in np.unique(bins):
        inside = np.flatnonzero(bins == one)
        order = np.arange(len(inside))
        place[inside] = np.where(order % 2 == 1, -(order + 1) // 2, order // 2)
    most = float(np.abs(place).max(initial=1.0))
    step = min(2 * RADIUS, (ROW / 2 - RADIUS - 1) / most)
    return place * step


def colour(level: float) -> Colour:
    """Of a level from low (0) to high (1)."""
    low, middle, high = ENDS
    mixed = low + 2 * level * (middle - low) if level < 0.5 else middle + (2 * level - 1) * (high - middle)
    red, green, blue = mixed.round().astype(int)
    return int(red), int(green), int(blue)


def colour_scale(wide: int, base: float) -> list[Mark]:
    """What the colours mean."""
    pixels: Pixels = np.array([[colour(level) for level in np.linspace(0, 1, 120)]])
    left = wide - 12 - 120 - width("high", 13) - 8
    return [
        Words(left - 12, base, "number in the column:  low", 13, FAINT, "r"),
        Raster(left - 4, base - 10, left + 116, base, pixels.astype(np.uint8)),
        Words(left + 124, base, "high", 13, FAINT),
    ]
