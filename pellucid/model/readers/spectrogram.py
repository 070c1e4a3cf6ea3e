"""Spectrogram: what a network that takes spectrograms is given: the frequencies of their rows and the times of their columns."""

from __future__ import annotations

import math
import os
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Any

from torch import Tensor

from pellucid.core.one_line import one_line
from pellucid.errors import InputError, ModelError
from ..modality.time_frequency import TimeFrequency
from .series import as_numbers, read_series


@dataclass(frozen=True)
class Spectrogram:
    """How spectrograms (batch, channel, frequency, time) or (batch, frequency, time) are read, which are made elsewhere.

    Arguments:
        hertz: The frequency of every row, rising.
        step_s: Seconds from one column to the next.
        start_s: The time of the middle of the first column.
        unit: Of the levels: "dB".
        channels: Their names; none: by number.
        flat: Whether the model takes (batch, frequency, time), without channels.
        source: Where these numbers are from, for the caption.

    Example:
        >>> import torch
        >>> mels = Spectrogram.mel(64, rate=16000, hop=160)
        >>> x, levels = mels.read(torch.zeros(64, 100))
        >>> x.shape, levels.seconds(50), [round(hertz) for hertz in levels.band(0)]
        (torch.Size([1, 1, 64, 100]), 0.5, [13, 42])
    """

    hertz: tuple[float, ...]
    step_s: float
    _: KW_ONLY
    start_s: float = 0.0
    unit: str = ""
    channels: tuple[str, ...] = ()
    flat: bool = False
    source: str = "given by the user"

    __repr__ = one_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "hertz", tuple(map(float, self.hertz)))
        object.__setattr__(self, "channels", tuple(self.channels))
        rising = len(self.hertz) > 0 and all(a < b for a, b in pairwise(self.hertz)) and all(map(math.isfinite, self.hertz))
        if not rising or self.hertz[0] < 0:
            found = f"{len(self.hertz)} frequencies that do not rise from 0 Hz or above"
            raise ModelError("Spectrogram(hertz=...)", found, "every row has one, the lowest first", "Give one for each row.")
        if not (math.isfinite(self.step_s) and self.step_s > 0 and math.isfinite(self.start_s)):
            found = f"{self.step_s} s from column to column, from {self.start_s} s on"
            raise ModelError("Spectrogram(step_s=...)", found, "time goes on", "Give seconds: hop / rate.")

    def __str__(self) -> str:
        low, high = self.hertz[0], self.hertz[-1]
        return f"{len(self.hertz)} frequencies from {low:g} to {high:g} Hz every {1000 * self.step_s:g} ms (from: {self.source})"

    @staticmethod
    def linear(rows: int, *, rate: float, hop: int, **options: Any) -> Spectrogram:
        """Of a Fourier transform: rows from 0 Hz to half the rate, a column every `hop` samples."""
        return Spectrogram(tuple(rate / 2 * row / max(1, rows - 1) for row in range(rows)), hop / rate, **options)

    @staticmethod
    def mel(rows: int, *, rate: float, hop: int, low: float = 0.0, high: float | None = None, **options: Any) -> Spectrogram:
        """Of mel filters: the middle of each, evenly spaced on m(f) = 2595 log10(1 + f / 700) (O'Shaughnessy, 1987).

        Arguments:
            low, high: Where the first filter begins and the last one ends, in Hz; None: half the rate.
        """
        first, last = (2595 * math.log10(1 + hertz / 700) for hertz in (low, rate / 2 if high is None else high))
        middles = [first + (last - first) * (row + 1) / (rows + 1) for row in range(rows)]
        return Spectrogram(tuple(700 * (10 ** (m / 2595) - 1) for m in middles), hop / rate, **options)

    def read(self, data: Any) -> tuple[Tensor, TimeFrequency]:
        """A spectrogram as a batch, and what it is about.

        Arguments:
            data: A .npy file, or numbers: (frequency, time), (channel, frequency, time) or (batch, channel, frequency, time).

        Raises:
            InputError: it cannot be read, or has another number of rows or channels.
        """
        values = read_series(data).values if isinstance(data, (str, os.PathLike)) else as_numbers(data, most=4)
        values = values[None] if self.flat and values.dim() == 2 else values
        values = values[:, None] if self.flat and values.dim() == 3 else values
        values = values.reshape(*[1] * (4 - values.dim()), *values.shape)
        shape = tuple(values.shape)
        levels = self.modality(values)
        if levels is None or not bool(values.isfinite().all()):
            raise InputError(
                f"a spectrogram of {len(self.hertz)} frequencies", f"numbers of shape {shape}, or some that are none",
                "each row is the frequency that it was said to be", "Give (frequency, time), the lowest frequency first.",
            )  # fmt: skip
        return (values[:, 0] if self.flat else values).float(), levels

    def modality(self, x: Tensor) -> TimeFrequency | None:
        """What a batch of inputs is about, where it may be one of spectrograms."""
        x = x[:, None] if x.dim() == 3 else x
        if x.dim() != 4 or x.shape[2] != len(self.hertz) or (self.channels and x.shape[1] != len(self.channels)):
            return None
        names = self.channels or tuple(f"channel {n}" for n in range(x.shape[1]))
        end = self.start_s + self.step_s * (x.shape[3] - 0.5)
        return TimeFrequency(names, self.unit, self.hertz, self.start_s, self.step_s, end, x.detach().cpu().float())
