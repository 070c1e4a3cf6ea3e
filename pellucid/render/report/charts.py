"""Curves of a table of metrics as drawings: one per metric, a line per method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.core.numbers import figure
from ..parts.drawing import Drawing, Line, Mark, Words
from ..parts.palette import FAINT, HAIR, INK, Colour
from .decode import Data

WIDE, TALL, LEFT, RIGHT, FOOT = 860, 260, 70, 210, 40  # pixels
LINES: tuple[Colour, ...] = ((0, 90, 180), (190, 60, 20), (0, 120, 90), (130, 60, 160), (120, 100, 0), (90, 94, 100))


@dataclass(frozen=True, eq=False)
class CurveFigure:
    """All methods under one metric."""

    metric: str
    svg: str
    caption: str
    rows: list[tuple[str, ...]]


def curve_figures(document: Data) -> list[CurveFigure]:
    """A figure per metric that has curves."""
    metrics = dict.fromkeys(one["metric"] for one in document["curves"])
    return [curve_figure(metric, [one for one in document["curves"] if one["metric"] == metric]) for metric in metrics]


def curve_figure(metric: str, curves: Sequence[Data]) -> CurveFigure:
    names = ", ".join(one["method"] for one in curves)
    rows = [("method", *(f"{x:.3g}" for x in curves[0]["x"] if x is not None))]
    rows += [(one["method"], *("-" if y is None else f"{y:.3g}" for y in one["y"])) for one in curves]
    return CurveFigure(metric, drawing(curves).page(), f"The score of {names} along the curve of {metric}.", rows)


def drawing(curves: Sequence[Data]) -> Drawing:
    """Lines over one pair of axes, each with its name at its end."""
    points = [[(x, y) for x, y in zip(one["x"], one["y"], strict=True) if x is not None and y is not None] for one in curves]
    xs, ys = ([pair[axis] for line in points for pair in line] or [0.0, 1.0] for axis in (0, 1))
    (left, right), (low, high) = (min(xs), max(xs)), (min(ys), max(ys))
    wide, tall = (right - left) or 1.0, (high - low) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x - left) / wide * (WIDE - LEFT - RIGHT), 10 + (high - y) / tall * (TALL - 20)

    marks: list[Mark] = [Line((place(left, edge), place(right, edge)), HAIR) for edge in (low, high)]
    marks += [Words(LEFT - 8, place(left, edge)[1] + 4, figure(edge), 13, FAINT, "r") for edge in (low, high)]
    marks += [Words(place(edge, low)[0], TALL + 18, f"{edge:.3g}", 13, FAINT, "m") for edge in (left, right)]
    for number, (one, line) in enumerate(zip(curves, points, strict=True)):
        colour, top = LINES[number % len(LINES)], 22.0 + 20 * number
        if line:
            placed = tuple(place(x, y) for x, y in line)
            marks.append(Line(placed if len(placed) > 1 else (*placed, *placed), colour, 1.8))
        marks += [Line(((WIDE - RIGHT + 14, top - 5), (WIDE - RIGHT + 32, top - 5)), colour, 3)]
        marks.append(Words(WIDE - RIGHT + 38, top, one["method"], 13, INK))
    return Drawing(WIDE, max(TALL + FOOT, 30 + 20 * len(curves)), tuple(marks))
