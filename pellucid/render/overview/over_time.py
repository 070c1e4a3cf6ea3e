"""Mean sizes over time: a panel per channel, its mean as a line in a band."""

from __future__ import annotations

import numpy as np

from pellucid.core.numbers import figure
from pellucid.explanation.overview.running import Numbers
from pellucid.explanation.overview.series import Times
from ..parts.drawing import Line, Mark, Rect, Words, fitted
from ..parts.palette import FAINT, HAIR, INK, RED_BLUE, Colour
from ..parts.time_axis import FOOT, LEFT, RIGHT, frame
from .axis import Axis

TALL, LOW, GAP, MOST = 170, 72, 14, 12  # pixels of a panel, at most and at least; between panels; panels
STEPS = 320  # that are drawn at most: of more, the means of stretches
BAND: Colour = (214, 217, 222)


def over_time(times: Times, wide: int) -> tuple[list[Mark], float]:
    """The channels with the largest means, and the time below."""
    size, reach, mean = (pooled(part) for part in (times.size.mean, times.size.reach, times.mean.mean))
    shown = sorted(np.argsort(-size.sum(1), kind="stable")[:MOST].tolist())
    signed = bool((np.abs(mean) < size - 1e-12 * size.max()).any() or (mean < 0).any())
    tall = max(LOW, min(TALL, 640 // len(shown)))
    high = float(np.nanmax(np.where(np.isnan(reach), size, size + reach)))
    low = min(0.0, float(mean.min()))
    marks: list[Mark] = []
    for place, channel in enumerate(shown):
        top = place * (tall + GAP)
        up = Axis.over((low, high), top + tall - 6, top + 8)
        marks += panel(
            times.names[channel], size[channel], reach[channel], mean[channel] if signed else None, up, top, tall, wide
        )
    bottom = len(shown) * (tall + GAP) - GAP
    steps = times.size.mean.shape[1]
    across = Axis(0.0, times.time(steps), LEFT, wide - RIGHT)
    marks += across.below(bottom, bottom + 5, "seconds" if times.rate is not None else "steps")
    return marks, bottom + FOOT


def panel(
    name: str, size: Numbers, reach: Numbers, mean: Numbers | None, up: Axis, top: float, tall: float, wide: int
) -> list[Mark]:
    """One channel: the band of the interval, the mean size, and the mean with its sign."""
    step = (wide - LEFT - RIGHT) / len(size)
    marks: list[Mark] = [
        Rect(LEFT + n * step, up.at(float(size[n] + reach[n])), LEFT + (n + 1) * step, up.at(float(size[n] - reach[n])), BAND)
        for n in range(len(size))
        if np.isfinite(reach[n])
    ]
    marks += [Line(frame(top, tall, wide), HAIR), Line(((LEFT, up.at(0.0)), (wide - RIGHT, up.at(0.0))), HAIR)]
    x = [LEFT + (n + 0.5) * step for n in range(len(size))]
    if mean is not None:
        marks += signed_line(x, mean, up)
    marks.append(Line(tuple((a, up.at(float(b))) for a, b in zip(x, size, strict=True)), INK, 1.6))
    marks.append(Words(LEFT - 10, top + tall / 2 + 5, fitted(name, 15, LEFT - 14), 15, INK, "r"))
    marks.append(Words(LEFT - 10, top + 14, figure(up.high), 12, FAINT, "r"))
    return [*marks, Words(LEFT - 10, up.at(0.0) + 4, "0", 12, FAINT, "r")]


def signed_line(x: list[float], mean: Numbers, up: Axis) -> list[Mark]:
    """The mean in the colours of evidence for and against, each stretch of one sign a line."""
    points = [(a, float(b)) for a, b in zip(x, mean, strict=True)]
    made: list[Mark] = []
    start = 0
    for n in range(1, len(points) + 1):
        if n == len(points) or (points[n][1] >= 0) != (points[start][1] >= 0):
            part = points[start : n + (n < len(points))]
            colour = RED_BLUE.colour(1.0 if points[start][1] >= 0 else -1.0, signed=True)
            made += [Line(tuple((a, up.at(b)) for a, b in part), colour, 1.6)] if len(part) > 1 else []
            start = n
    return made


def pooled(values: Numbers) -> Numbers:
    """No more steps than can be drawn."""
    if values.shape[1] <= STEPS:
        return values
    edges = np.linspace(0, values.shape[1], STEPS + 1).round().astype(int)
    return np.add.reduceat(values, edges[:-1], axis=1) / np.diff(edges)
