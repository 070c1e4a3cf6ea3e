"""Signal: how a series becomes the model's input, with its rate, channels, unit and scale."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pellucid.core.one_line import one_line
from pellucid.errors import InputError, ModelError
from ..modality.series import Series
from .series import SeriesFile, as_numbers, read_series
from .series_steps import at_rate, cut_out, mixed_down


@dataclass(frozen=True)
class Signal:
    """What a series is, and how one becomes an input (1, channel, time).

    Arguments:
        rate: Samples per second.
        channels: Their names, in the order of the model; none: as many as the series has, by number.
        unit: Of the values: "mV".
        mean, std: The model gets (value - mean) / std; one for all channels, or one per channel.
        length: How many samples the model takes; None: any.
        resample: Whether a file of another rate is read at this one; else it is refused.
        mono: Whether several channels become one, their mean.
        window: The stretch that is read, as seconds (from, to), or where it begins, with a `length`: what lies beyond the end of
            the series is zero.
        source: Where these numbers are from, for the caption.

    Example:
        >>> ecg = Signal(250, ("I", "II"), "mV")
        >>> x, curves = ecg.read([[0.0, 1.0, 0.0], [0.0, 0.5, 0.0]])
        >>> x.shape, curves.names, curves.seconds(2)
        (torch.Size([1, 2, 3]), ('I', 'II'), 0.008)
    """

    rate: float
    channels: tuple[str, ...] = ()
    unit: str = ""
    _: KW_ONLY
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    length: int | None = None
    resample: bool = False
    mono: bool = False
    window: float | tuple[float, float] | None = None
    source: str = "given by the user"

    __repr__ = one_line

    def __str__(self) -> str:
        unit = f" in {self.unit}" if self.unit else ""
        return f"{self.rate:g} samples a second{unit}{self._part()} (from: {self.source})"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        for name in ("mean", "std"):
            given = getattr(self, name)
            object.__setattr__(self, name, float(given) if isinstance(given, (int, float)) else tuple(map(float, given)))
        if not (isinstance(self.rate, (int, float)) and math.isfinite(self.rate) and self.rate > 0):
            raise ModelError("Signal", f"rate {self.rate}", "time is counted by samples per second", "Give a positive number.")
        stds = self.std if isinstance(self.std, tuple) else (self.std,)
        if not all(math.isfinite(std) and std > 0 for std in stds):
            raise ModelError("Signal", f"std {self.std}", "values are divided by it", "Give positive numbers.")
        for name in ("mean", "std"):
            given = getattr(self, name)
            if isinstance(given, tuple) and self.channels and len(given) != len(self.channels):
                found = f"{len(given)} numbers for {len(self.channels)} channels"
                raise ModelError(f"Signal({name}=...)", found, "there is one for all, or one per channel", "Make them match.")
        self._check_window()

    def _check_window(self) -> None:
        """Refuse a stretch that has no length or another one than the model's; two numbers become a tuple."""
        if self.window is None:
            return
        if not isinstance(self.window, (int, float)):
            object.__setattr__(self, "window", tuple(map(float, self.window)))
        ends = self._stretch
        whole = ends is not None and len(ends) == 2 and all(map(math.isfinite, ends)) and 0 <= ends[0] < ends[1]
        if ends is None or not whole or (self.length is not None and round((ends[1] - ends[0]) * self.rate) != self.length):
            of_length = "" if self.length is None else f" for a model of {self.length} samples, {self.length / self.rate:g} s"
            raise ModelError(
                "Signal(window=...)", f"{self.window}{of_length}",
                "it is two times in seconds, the first before the second and as far apart as the model's length, or one where "
                "there is a length", "Give window=(0.5, 1.5), or window=0.5 with length=16000.",
            )  # fmt: skip

    def read(self, data: Any) -> tuple[Tensor, Series]:
        """A series as a batch of one, and what it is about.

        Arguments:
            data: A .csv, .npy or .wav file, the bytes of a .wav file, or numbers: (time,), (channel, time) or
                a batch (n, channel, time).

        Raises:
            InputError: it cannot be read, or has another rate, length or number of channels.
        """
        return self.reading(data)[:2]

    def reading(self, data: Any) -> tuple[Tensor, Series, tuple[str, ...]]:
        """As `read`, and what was done to the series, in sentences."""
        series = read_series(data) if isinstance(data, (str, os.PathLike, bytes)) else SeriesFile(_batch(as_numbers(data)))
        series, notes = self._fitted(series)
        raw = self._checked(series)
        names = self.channels or series.names or tuple(f"channel {n}" for n in range(raw.shape[1]))
        x = (raw - self._wide(self.mean)) / self._wide(self.std)
        return x.float(), self._curves(raw, names), notes

    def modality(self, x: Tensor) -> Series | None:
        """What a batch of inputs is about, where it may be one of series."""
        if x.dim() != 3 or (self.channels and x.shape[1] != len(self.channels)):
            return None
        names = self.channels or tuple(f"channel {n}" for n in range(x.shape[1]))
        return self._curves(x.detach().cpu().double() * self._wide(self.std) + self._wide(self.mean), names)

    def steps(self, seconds: float) -> int:
        """How many samples a stretch of time has, one at least: for windows of time.

        Example:
            >>> Signal(250).steps(0.1)
            25
        """
        return max(1, round(seconds * self.rate))

    def _part(self) -> str:
        """How a series is made to fit, in words."""
        stretch = "" if self._stretch is None else "{:g} to {:g} s".format(*self._stretch)
        words = ("resampled" if self.resample else "", "mean of channels" if self.mono else "", stretch)
        return "".join(f", {word}" for word in words if word)

    @property
    def _stretch(self) -> tuple[float, float] | None:
        """From when to when the series is read, in seconds."""
        if self.window is None or isinstance(self.window, tuple):
            return self.window
        return self.window, self.window + (self.length or 0) / self.rate

    def _fitted(self, series: SeriesFile) -> tuple[SeriesFile, tuple[str, ...]]:
        """The series at the rate, with the channels and of the stretch that are asked for, and what that took."""
        steps: list[Callable[[SeriesFile], tuple[SeriesFile, str]]] = []
        steps += [mixed_down] if self.mono else []
        steps += [partial(at_rate, rate=self.rate)] if self.resample else []
        steps += [] if self._stretch is None else [partial(cut_out, rate=self.rate, stretch=self._stretch)]
        notes = []
        for step in steps:
            series, note = step(series)
            notes.append(note)
        return series, tuple(filter(None, notes))

    def _curves(self, raw: Tensor, names: tuple[str, ...]) -> Series:
        return Series(names, self.unit, float(self.rate), raw.float())

    def _wide(self, numbers: float | tuple[float, ...]) -> Tensor:
        made = torch.tensor(numbers, dtype=torch.float64)
        return made.reshape(-1, 1) if made.dim() else made

    def _checked(self, series: SeriesFile) -> Tensor:
        """The values, with shape (n, channel, time)."""
        values = series.values
        _, channels, length = values.shape
        if series.rate is not None and not math.isclose(series.rate, self.rate, rel_tol=1e-3):
            raise InputError(
                f"a series of {self.rate:g} samples per second", f"one of {series.rate:g}",
                "the model would see it faster or slower than it is",
                "Resample it: pl.Signal(..., resample=True), --signal ...,resample=yes.",
            )  # fmt: skip
        if self.channels and channels != len(self.channels):
            named = f" ({', '.join(self.channels)})"
            raise InputError(
                f"a series of {len(self.channels)} channels{named}", f"{channels} channels and {length} samples",
                "the model reads other channels",
                "Mix them: pl.Signal(..., mono=True)." if len(self.channels) == 1 else
                "Give (channel, time): one row per channel; in a CSV file, one column.",
            )  # fmt: skip
        if self.length is not None and length != self.length:
            raise InputError(
                f"a series of {self.length} samples", f"{length}", "the model takes no other length",
                "Cut out the part that is meant: pl.Signal(..., window=0.5), from that second on." if length > self.length else
                "Record more: missing samples are not made up, or fill up with zeros: pl.Signal(..., window=0).",
            )  # fmt: skip
        if not bool(values.isfinite().all()):
            broken = int((~values.isfinite()).sum())
            raise InputError(
                "a series", f"{broken} of {values.numel()} values that are no numbers", "they cannot be computed with",
                "Fill the gaps first.",
            )  # fmt: skip
        return values


def _batch(values: Tensor) -> Tensor:
    """Numbers as (n, channel, time)."""
    return values.reshape(*[1] * (3 - values.dim()), *values.shape)
