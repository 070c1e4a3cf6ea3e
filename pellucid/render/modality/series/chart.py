"""The chart of a series: a panel per channel, time in seconds below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.core.numbers import figure
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Series
from ...parts.drawing import Drawing, Line, Mark, Rect, Words, colour_key, fitted
from ...parts.map import Map
from ...parts.palette import AMBER, FAINT, HAIR, INK, Colour
from ...parts.scale import Heat, Scale, each
from ...parts.text import wrap
from ...parts.time_axis import FOOT, LEFT, RIGHT, frame, time_axis
from .sound import panels, spectrum

GAP = 14  # pixels between panels
TALL, LOW, MOST = 150, 64, 16  # pixels of a panel, at most and at least; panels
STRIPS = 240  # of time, at most


@dataclass(frozen=True, eq=False)
class Strips:
    """What stretches of time say.

    Arguments:
        edges: Where they begin and end, in steps.
        values: The mean over each, with shape (channel, strip).
        scale: What is painted at full strength.
    """

    edges: NDArray[np.int64]
    values: Heat
    scale: Scale


def strips(e: Explanation, count: int = STRIPS) -> Strips:
    """A strip per step of time; of long series the means over equally many steps."""
    values = e.values[0].detach().cpu().double().numpy()
    values = values if e.signed else np.abs(values)
    length = values.shape[1]
    edges = np.linspace(0, length, min(length, count) + 1).round().astype(np.int64)
    pooled = np.add.reduceat(values, edges[:-1], axis=1) / np.diff(edges)
    return Strips(edges, pooled, each(pooled, percentile=100.0))


def drawing(e: Explanation, drawn: Map, wide: int) -> Drawing:
    """Every channel, the strongest of many."""
    curves = e.subject
    assert isinstance(curves, Series)
    pooled = strips(e)
    shown = strongest(pooled.values)
    tall = max(LOW, min(TALL, 640 // len(shown)))
    marks: list[Mark] = []
    for place, channel in enumerate(shown):
        marks += panel(curves, channel, pooled, drawn, place * (tall + GAP), tall, wide)
    below: float = len(shown) * (tall + GAP) - GAP
    found = spectrum(e, drawn) if curves.is_sound else None
    if found is not None:
        more, high = panels(found, shown, drawn, below + GAP, GAP, wide)
        marks += more
        below += GAP + high
    marks += time_axis(curves.seconds(curves.curves.shape[2]), below, wide)
    below += FOOT
    for words, ink in [*notes(pooled, shown, drawn), *([(found.note, FAINT)] if found is not None else [])]:
        for line in wrap(words, 14, wide):
            marks.append(Words(0, below + 14, line, 14, ink))
            below += 20
    marks += [] if drawn.empty else colour_key([(shade(n, drawn), text) for n, text in drawn.ends()], below + 18)
    return Drawing(wide, below + (6 if drawn.empty else 30), tuple(marks))


def strongest(values: Heat) -> list[int]:
    """The channels that are drawn, in their order."""
    best = np.argsort(-np.abs(values).sum(1), kind="stable")[:MOST]
    return sorted(int(channel) for channel in best)


def panel(curves: Series, channel: int, pooled: Strips, drawn: Map, top: float, tall: float, wide: int) -> list[Mark]:
    """One channel: strips, frame, curve, and the range of its values."""
    curve = curves.curves[0, channel].double().numpy()
    low, high = float(curve.min()), float(curve.max())
    span = high - low or 1.0
    step = (wide - LEFT - RIGHT) / len(curve)
    marks: list[Mark] = [] if drawn.empty else strip_marks(curves, channel, pooled, drawn, top, tall, step)
    marks.append(Line(frame(top, tall, wide), HAIR))

    def y(value: float) -> float:
        return top + 8 + (high - value) / span * (tall - 16)

    points = tuple((LEFT + (x + 0.5) * step, y(value)) for x, value in thinned(curve, 2 * (wide - LEFT)))
    marks.append(Line(points if len(points) > 1 else (points[0], points[0]), INK, 1.4))
    unit = f" {curves.unit}" if curves.unit else ""
    marks.append(Words(LEFT - 10, top + tall / 2 + 5, fitted(curves.names[channel], 15, LEFT - 14), 15, INK, "r"))
    if high > low:
        marks.append(Words(LEFT - 10, top + 13, figure(high) + unit, 12, FAINT, "r"))
        marks.append(Words(LEFT - 10, top + tall - 3, figure(low) + unit, 12, FAINT, "r"))
    return marks


def strip_marks(curves: Series, channel: int, pooled: Strips, drawn: Map, top: float, tall: float, step: float) -> list[Mark]:
    """The strips of one channel, those that show at all."""
    strength = pooled.scale.strength(pooled.values[channel])
    marks: list[Mark] = []
    for n, level in enumerate(strength):
        if abs(level) >= 0.01:
            first, last = int(pooled.edges[n]), int(pooled.edges[n + 1])
            time = f"{curves.seconds(first):.4g} to {curves.seconds(last):.4g} s"
            words = f"{curves.names[channel]}, {time}: {figure(float(pooled.values[channel, n]))}"
            left, right = LEFT + first * step, LEFT + last * step
            marks.append(Rect(left, top, right, top + tall, shade(float(level), drawn), words))
    return marks


def shade(level: float, drawn: Map) -> Colour:
    """The colour of a strip: paler than that of bars, so that the curve is seen on it."""
    return drawn.on_paper(0.75 * level)


def thinned(curve: Heat, most: int) -> list[tuple[float, float]]:
    """A curve with no more points than can be seen: of many, the lowest and the highest of each stretch."""
    if len(curve) <= most:
        return [(float(x), float(value)) for x, value in enumerate(curve)]
    points: list[tuple[float, float]] = []
    for part in np.array_split(np.arange(len(curve)), most // 2):
        ends = sorted({int(part[curve[part].argmin()]), int(part[curve[part].argmax()])})
        points += [(float(x), float(curve[x])) for x in ends]
    return points


def notes(pooled: Strips, shown: list[int], drawn: Map) -> list[tuple[str, Colour]]:
    """What is to be known about strips and channels."""
    words = []
    wide = int(np.diff(pooled.edges).max())
    if not drawn.empty:
        scale = pooled.scale.sentence(pooled.values, signed=drawn.signed)
        over = f" A strip is the mean over {wide} steps." if wide > 1 else ""
        words.append((scale + over, FAINT))
    if len(shown) < len(pooled.values):
        words.append((f"The {len(shown)} channels of {len(pooled.values)} that say most are drawn.", AMBER))
    return words
