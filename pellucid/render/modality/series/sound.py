"""The spectrogram below the curves of a sound, with the same evidence over time and frequency where it can be laid out so."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.explanation.explanation import Explanation
from pellucid.explanation.time_frequency import plain_levels, refusal
from pellucid.model.modality import Series, TimeFrequency
from ...parts.drawing import Mark
from ...parts.map import Map
from ...parts.scale import Heat, Scale, each
from ..spectrogram.chart import MOST, ground, panel, values_of

TALL, LOW = 220, 110  # pixels of a panel, of one channel and of several


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A spectrogram as it is painted.

    Arguments:
        values: With shape (channel, frequency, frame); None where there is nothing to paint.
        note: What is to be known about it.
    """

    levels: TimeFrequency
    values: Heat | None
    scale: Scale
    note: str


def spectrum(e: Explanation, drawn: Map) -> Spectrum:
    """The spectrogram of one sound."""
    assert isinstance(e.subject, Series)
    if refusal(e.subject, e.method, adds=e.signed and e.adds) is not None:
        levels = plain_levels(e.subject)
        words = f"Below: the sound's spectrogram. {ground(levels)} Values that do not add up to a score have no place in it."
        return Spectrum(levels, None, Scale(1.0, ""), words)
    over = e.spectrogram()
    assert isinstance(over.subject, TimeFrequency)
    values = values_of(over)
    scale = each(values)
    words = f"Below: the same evidence over time and frequency. {ground(over.subject)}"
    if drawn.empty:
        return Spectrum(over.subject, None, scale, words)
    return Spectrum(over.subject, values, scale, f"{words} {scale.sentence(values, signed=drawn.signed)}")


def panels(found: Spectrum, channels: list[int], drawn: Map, top: float, gap: float, wide: int) -> tuple[list[Mark], float]:
    """The panels of some channels, the first `MOST`, and how many pixels they are high."""
    shown = channels[:MOST]
    tall = TALL if len(shown) == 1 else LOW
    marks: list[Mark] = []
    for place, channel in enumerate(shown):
        values = None if found.values is None else found.values[channel]
        marks += panel(found.levels, channel, values, found.scale, drawn, top + place * (tall + gap), tall, wide)
    return marks, len(shown) * (tall + gap) - gap
