"""The chart of a spectrogram: a panel per channel, seconds along the foot and Hz along the side."""

from __future__ import annotations

import math

import numpy as np

from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import TimeFrequency
from ...parts.drawing import Drawing, Line, Mark, Raster, Words, colour_key, fitted
from ...parts.map import Map
from ...parts.palette import AMBER, FAINT, HAIR, INK, Colour, Pixels
from ...parts.scale import Heat, Scale, each
from ...parts.text import wrap
from ...parts.time_axis import FOOT, LEFT, RIGHT, frame, ticks, time_axis

GAP, TALL, LOW, MOST = 14, 240, 120, 4  # pixels between panels; of one, at most and at least; panels
QUIET, LOUD = 250, 105  # greys
FINER = 2  # pixels of a raster for one of the drawing
ABOVE = 8  # pixels above the first panel: its upper number is half as high
ROOM = 18  # pixels from one number to the next
EVEN = 1000  # Hz up to which the axis has even steps


def drawing(e: Explanation, drawn: Map, wide: int) -> Drawing:
    """Every channel, the strongest of many, and what the colours mean."""
    subject = e.subject
    assert isinstance(subject, TimeFrequency)
    values = values_of(e)
    scale = each(values)
    shown = strongest(values)
    tall = max(LOW, min(TALL, 640 // len(shown)))
    marks: list[Mark] = []
    for place, channel in enumerate(shown):
        marks += panel(
            subject, channel, None if drawn.empty else values[channel], scale, drawn, ABOVE + place * (tall + GAP), tall, wide
        )
    below = ABOVE + len(shown) * (tall + GAP) - GAP
    marks += time_axis(subject.end_s, below, wide)
    below += FOOT
    for words, ink in notes(subject, values, scale, shown, drawn):
        for line in wrap(words, 14, wide):
            marks.append(Words(0, below + 14, line, 14, ink))
            below += 20
    marks += [] if drawn.empty else colour_key([(drawn.on_paper(n), text) for n, text in drawn.ends()], below + 18)
    return Drawing(wide, below + (6 if drawn.empty else 30), tuple(marks))


def values_of(e: Explanation) -> Heat:
    """Values with shape (channel, frequency, time), as they are painted."""
    assert e.subject is not None
    values: Heat = e.subject.arrange(e.values[0].detach()).cpu().double().numpy()
    return values if e.signed else np.abs(values)


def strongest(values: Heat) -> list[int]:
    """The channels that are drawn, in their order."""
    best = np.argsort(-np.abs(values).sum((1, 2)), kind="stable")[:MOST]
    return sorted(int(channel) for channel in best)


def panel(
    subject: TimeFrequency, channel: int, values: Heat | None, scale: Scale, drawn: Map, top: float, tall: float, wide: int
) -> list[Mark]:
    """One channel: levels in grey, its values in colour over them, and its frequencies; no values: the levels alone."""
    size = round(FINER * tall), FINER * (wide - LEFT - RIGHT)
    pixels = grey(laid(subject, subject.levels[0, channel].double().numpy(), size), *limits(subject))
    if values is not None:
        strength = np.clip(laid(subject, values, size) / scale.limit, -1, 1)
        pixels = drawn.palette.paint(strength, pixels, signed=drawn.signed)
    marks: list[Mark] = [Raster(LEFT, top, wide - RIGHT, top + tall, pixels.round().astype(np.uint8))]
    marks.append(Line(frame(top, tall, wide), HAIR))
    name = subject.names[channel] if len(subject.names) > 1 else ""
    marks.append(Words(LEFT - 46, top + 14, fitted(name, 13, LEFT - 50), 13, INK, "r"))
    return [*marks, *hertz_axis(subject, top, tall)]


def laid(subject: TimeFrequency, values: Heat, size: tuple[int, int]) -> Heat:
    """Values over times from 0 to the end, and over frequencies from below to above as hearing spaces them."""
    high, wide = size
    low, top = (mel(edge) for edge in ends(subject))
    edges_hz = hertz_of(np.linspace(low, top, high + 1))
    rows = np.interp(edges_hz, subject.hertz, np.arange(len(subject.hertz)))
    columns = (np.linspace(0.0, subject.end_s, wide + 1) - subject.start_s) / subject.step_s
    found: Heat = averaged(averaged(values, rows).T, columns).T[::-1]
    return found


def averaged(values: Heat, edges: Heat) -> Heat:
    """Means over stretches of the first axis, at least as wide as one place of it: between places this interpolates.

    Arguments:
        edges: Where stretches begin and end, counted in places, place 0 from -0.5 to 0.5.

    Example:
        >>> averaged(np.array([[0.0], [1.0]]), np.array([-0.5, 0.0, 0.5, 1.5])).ravel()
        array([0.  , 0.25, 1.  ])
    """
    middles, halves = (edges[1:] + edges[:-1]) / 2, np.maximum(np.diff(edges), 1.0) / 2
    count = len(values)
    sums = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(0)])
    middles = middles.clip(-0.5 + 1e-9, count - 0.5 - 1e-9)
    lower, upper = ((middles + side * halves + 0.5).clip(0, count) for side in (-1, 1))
    means: Heat = (at(sums, upper) - at(sums, lower)) / (upper - lower)[:, None]
    return means


def at(rows: Heat, places: Heat) -> Heat:
    """Rows at places between them."""
    below = np.minimum(places.astype(int), len(rows) - 2)
    share = (places - below)[:, None]
    found: Heat = rows[below] * (1 - share) + rows[below + 1] * share
    return found


def mel(hertz: float) -> float:
    """How high a frequency is as hearing has it: even below 700 Hz, by octaves above (O'Shaughnessy, 1987)."""
    return 2595 * math.log10(1 + hertz / 700)


def hertz_of(mels: Heat) -> Heat:
    """The frequencies that are so high."""
    found: Heat = 700 * (10 ** (mels / 2595) - 1)
    return found


def ends(subject: TimeFrequency) -> tuple[float, float]:
    """The lowest and the highest frequency of the axis."""
    low, high = subject.hertz[0], subject.hertz[-1]
    return (low, high) if high > low else (low, low + 1.0)


def grey(levels: Heat, low: float, high: float) -> Pixels:
    """Paper where it is quiet, dark grey where it is loud; not black, so that colours are seen on it."""
    share = np.clip((levels - low) / (high - low or 1.0), 0, 1)
    return np.repeat((QUIET + (LOUD - QUIET) * share)[..., None], 3, axis=2)


def limits(subject: TimeFrequency) -> tuple[float, float]:
    """The levels that are white and dark."""
    levels = subject.levels[0].double().numpy()
    return float(np.percentile(levels, 1)), float(levels.max())


def hertz_axis(subject: TimeFrequency, top: float, tall: float) -> list[Mark]:
    """Round frequencies beside their places."""
    marks: list[Mark] = []
    taken: list[float] = []
    low, high = (mel(edge) for edge in ends(subject))
    for tick in hertz_ticks(*ends(subject)):
        y = top + tall * (1 - (mel(tick) - low) / (high - low))
        if all(abs(y - other) >= ROOM for other in taken):
            taken.append(y)
            marks += [Line(((LEFT - 5, y), (LEFT, y)), FAINT), Words(LEFT - 8, y + 4, _hertz(tick), 13, FAINT, "r")]
    return marks


def hertz_ticks(low: float, high: float) -> list[float]:
    """Round frequencies between two ends, by octaves where there are several.

    Example:
        >>> hertz_ticks(0, 8000)
        [8000.0, 4000.0, 2000.0, 1000.0, 500.0, 250.0, 0.0]
        >>> hertz_ticks(0, 100)
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if high <= EVEN:
        return ticks(low, high)
    octaves = [250.0 * 2**n for n in range(10, -1, -1)]
    return [tick for tick in (*octaves, 0.0) if low <= tick <= high]


def _hertz(tick: float) -> str:
    return f"{tick / 1000:g} kHz" if tick >= 1000 else f"{tick:g} Hz"


def notes(subject: TimeFrequency, values: Heat, scale: Scale, shown: list[int], drawn: Map) -> list[tuple[str, Colour]]:
    """What is to be known about levels, scale and channels."""
    words = [(ground(subject), FAINT)]
    if not drawn.empty:
        words.append((scale.sentence(values, signed=drawn.signed), FAINT))
    if len(shown) < len(values):
        words.append((f"The {len(shown)} channels of {len(values)} that say most are drawn.", AMBER))
    return words


def ground(subject: TimeFrequency) -> str:
    """What the greys mean."""
    low, high = limits(subject)
    unit = f" {subject.unit}" if subject.unit else ""
    greys = f"from {low:.3g}{unit} (white) to {high:.3g}{unit} (dark)"
    return f"Frequencies lie as hearing spaces them (mel). Grey: how strong each is, {greys}."
