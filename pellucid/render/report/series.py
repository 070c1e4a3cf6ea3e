"""Curves and spectrograms of a document as drawings: behind every channel the colour of what each stretch of time says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.numbers import figure
from ..modality.spectrogram.chart import grey, hertz_ticks
from ..parts.drawing import Drawing, Line, Mark, Raster, Words, fitted
from ..parts.map import Map
from ..parts.palette import FAINT, HAIR, INK, PAPER, Pixels
from ..parts.scale import Heat
from ..parts.time_axis import FOOT, LEFT, RIGHT, frame, time_axis
from .decode import Data, inflated

WIDE, TALL, LOW, GAP = 860, 150, 64, 14  # pixels
STRIPS = 240  # of time, at most
PALER = 0.75  # strips are paler than bars, so that the curve is seen on them


def curves(subject: Data, drawn: Map) -> Drawing:
    """A panel per channel, time in seconds below."""
    channels = subject["channels"]
    tall = max(LOW, min(TALL, 640 // len(channels)))
    marks: list[Mark] = []
    for place, channel in enumerate(channels):
        strength = pooled(row_of(drawn, place, len(channels))) / drawn.scale.limit
        marks += panel(channel, np.clip(strength, -1, 1), drawn, place * (tall + GAP), tall, subject["unit"])
    below = len(channels) * (tall + GAP) - GAP
    marks += time_axis(subject["length"] * subject["step"], below, WIDE)
    return Drawing(WIDE, below + FOOT, tuple(marks))


def row_of(drawn: Map, place: int, count: int) -> Heat:
    """The values of one channel; of maps with one row, which holds for all channels, that row."""
    found: Heat = drawn.heat[place if len(drawn.heat) == count else 0]
    return found


def pooled(row: Heat) -> Heat:
    """Means over stretches of a long row."""
    return np.array([part.mean() for part in np.array_split(row, min(len(row), STRIPS))])


def panel(channel: Data, strength: Heat, drawn: Map, top: float, tall: float, unit: str) -> list[Mark]:
    """One channel: its colours, frame, curve, and the range of its values."""
    points = [0.0 if value is None else float(value) for value in channel["values"]]
    low, high = min(points), max(points)
    span, step = high - low or 1.0, (WIDE - LEFT - RIGHT) / len(points)
    line = tuple((LEFT + (x + 0.5) * step, top + 8 + (high - y) / span * (tall - 16)) for x, y in enumerate(points))
    paper = np.full((1, len(strength), 3), float(PAPER[0]))
    marks: list[Mark] = [] if drawn.empty else [raster(drawn, PALER * strength[None], paper, top, tall)]
    marks += [Line(frame(top, tall, WIDE), HAIR), Line(line if len(line) > 1 else (*line, *line), INK, 1.4)]
    marks.append(Words(LEFT - 10, top + tall / 2 + 5, fitted(channel["name"], 15, LEFT - 14), 15, INK, "r"))
    for value, base in ((high, top + 13), (low, top + tall - 3)) if high > low else ():
        marks.append(Words(LEFT - 10, base, f"{figure(value)} {unit}".strip(), 12, FAINT, "r"))
    return marks


def raster(drawn: Map, strength: Heat, ground: Pixels, top: float, tall: float) -> Raster:
    """Colours over a ground, between the margins."""
    colours = drawn.palette.paint(strength, ground, signed=drawn.signed)
    return Raster(LEFT, top, WIDE - RIGHT, top + tall, colours.round().astype(np.uint8))


def spectrogram(subject: Data, drawn: Map) -> Drawing:
    """Every channel: levels in grey, what time and frequency say in colour over them."""
    high, wide, names = subject["height"], subject["width"], subject["channels"]
    levels = np.frombuffer(inflated(subject["levels"]), dtype=np.uint8).reshape(len(names), high, wide)
    marks: list[Mark] = []
    for place, name in enumerate(names):
        top = place * (TALL + GAP)
        strength = np.zeros((high, wide)) if drawn.empty else resampled(drawn.strength, place, len(names), (high, wide))
        marks.append(raster(drawn, strength[::-1], grey(levels[place][::-1] / 255.0, 0.0, 1.0), top, TALL))
        marks.append(Line(frame(top, TALL, WIDE), HAIR))
        marks += [Words(LEFT - 46, top + 14, fitted(name, 13, LEFT - 50), 13, INK, "r")] if len(names) > 1 else []
        marks += hertz_axis(subject["frequencies"], top)
    below = len(names) * (TALL + GAP) - GAP
    return Drawing(WIDE, below + FOOT, (*marks, *time_axis(subject["duration"], below, WIDE)))


def resampled(strength: Heat, place: int, count: int, size: tuple[int, int]) -> Heat:
    """The part of a map that belongs to one channel, with as many places as its levels."""
    part = np.array_split(strength, count)[place] if len(strength) >= count * size[0] else strength
    rows, columns = (np.linspace(0, have - 1, want).round().astype(int) for have, want in zip(part.shape, size, strict=True))
    found: Heat = part[rows][:, columns]
    return found


def hertz_axis(frequencies: Sequence[float], top: float) -> list[Mark]:
    """Frequencies beside their places, which are spaced evenly over the rows of the spectrogram."""
    marks: list[Mark] = []
    places = np.arange(len(frequencies)) + 0.5
    last = -1e9
    for tick in hertz_ticks(frequencies[0], frequencies[-1]):
        y = top + TALL * (1 - float(np.interp(tick, frequencies, places)) / len(frequencies))
        if abs(y - last) >= 18:
            last = y
            words = f"{tick / 1000:g} kHz" if tick >= 1000 else f"{tick:g} Hz"
            marks += [Line(((LEFT - 5, y), (LEFT, y)), FAINT), Words(LEFT - 8, y + 4, words, 13, FAINT, "r")]
    return marks
