"""What makes a series fit a model: one channel of several, another rate, a stretch of it; and a sentence on each."""

from __future__ import annotations

from dataclasses import replace

from torch.nn.functional import pad

from pellucid.errors import InputError
from .resample import resampled
from .series import SeriesFile


def mixed_down(series: SeriesFile) -> tuple[SeriesFile, str]:
    """One channel: the mean of all."""
    many = series.values.shape[1]
    if many == 1:
        return series, ""
    return replace(series, values=series.values.mean(1, keepdim=True), names=()), f"One channel: the mean of {many}."


def at_rate(series: SeriesFile, rate: float) -> tuple[SeriesFile, str]:
    """The series with so many samples per second; what does not say its own is taken to have them."""
    if series.rate is None or series.rate == rate:
        return series, ""
    note = f"Resampled from {series.rate:g} to {rate:g} samples a second."
    return replace(series, values=resampled(series.values, series.rate, rate), rate=rate), note


def cut_out(series: SeriesFile, rate: float, stretch: tuple[float, float]) -> tuple[SeriesFile, str]:
    """The samples from one time to another; those after the end are zero."""
    length = series.values.shape[-1]
    first = round(stretch[0] * rate)
    wanted = round((stretch[1] - stretch[0]) * rate)
    part = series.values[..., first : first + wanted]
    missing = wanted - part.shape[-1]
    if not part.shape[-1]:
        raise InputError(
            f"a series from {stretch[0]:g} s on", f"one of {length / rate:g} s", "nothing of it is there", "Begin earlier."
        )
    notes = []
    if first or first + wanted < length:
        notes.append(f"The stretch from {stretch[0]:g} to {stretch[1]:g} s of {length / rate:g} s, counted from 0 here.")
    if missing:
        notes.append(f"The last {missing / rate:.4g} s are zeros, since the series ends before.")
    return replace(series, values=pad(part, (0, missing))), " ".join(notes)
