"""Series in files: CSV, NumPy and WAV. How one becomes an input: `signal.py`."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import InputError
from .wav import read_wav

LARGEST = 50_000_000  # samples


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """What a file holds.

    Arguments:
        values: With shape (n, channel, time), double.
        names: Of the channels, where the file has them.
        rate: Samples per second, where the file says it.
    """

    values: Tensor
    names: tuple[str, ...] = ()
    rate: float | None = None


def read_series(file: str | os.PathLike[str] | bytes) -> SeriesFile:
    """A series from a .csv, .npy or .wav file, or from the bytes of a .wav file.

    Raises:
        InputError: there is no such file, it is none of these, or it is damaged.
    """
    if isinstance(file, bytes):
        return _series(_wav, file, "a series from the bytes of a .wav file")
    path = Path(file).expanduser()
    request = f"a series from {path}"
    readers = {".csv": _csv, ".tsv": _csv, ".txt": _csv, ".npy": _npy, ".wav": _wav}
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no file of that name"
        raise InputError(request, found, "there is nothing to read", "Check the path.")
    if path.suffix.lower() not in readers:
        do = f"Save it as one of {', '.join(readers)}."
        raise InputError(request, f"a file of kind {path.suffix or 'unknown'}", "that format is not read", do)
    return _series(readers[path.suffix.lower()], path, request)


def _series(read: Callable[[Any], SeriesFile], file: Any, request: str) -> SeriesFile:
    try:
        series = read(file)
    except InputError:
        raise
    except Exception as error:  # of csv, numpy and struct: a dozen types
        found = f"data that cannot be read ({type(error).__name__}: {error})"
        raise InputError(request, found, "the file is damaged, or of another kind than its name says", "Save it again.") from None
    if not series.values.numel():
        raise InputError(request, "no values", "there is nothing to explain", "Save it again.")
    return series


def _csv(path: Path) -> SeriesFile:
    """A column per channel and a line per step of time. A first line of words names the channels; a column called "time", "t" or
    "seconds" says the rate.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    sign = max(",;\t", key=lines[0].count) if lines else ","
    rows = [row for row in csv.reader(lines, delimiter=sign, skipinitialspace=True) if row]
    names: list[str] = []
    if rows and not all(map(_is_number, rows[0])):
        names, rows = [name.strip() for name in rows[0]], rows[1:]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"lines of {min(map(len, rows))} to {max(map(len, rows))} cells")
    values = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows], dtype=np.float64)
    clock = [n for n, name in enumerate(names) if name.lower() in ("time", "t", "seconds", "time_s", "time (s)")]
    rate = None
    if clock and len(values) > 1 and values.shape[1] > 1:
        steps = np.diff(values[:, clock[0]])
        rate = float(1 / np.median(steps)) if np.median(steps) > 0 else None
        values, names = np.delete(values, clock[0], 1), [name for n, name in enumerate(names) if n != clock[0]]
    return SeriesFile(torch.from_numpy(np.ascontiguousarray(values.T))[None], tuple(names), rate)


def _npy(path: Path) -> SeriesFile:
    """(time,) or (channel, time); arrays of objects, which are pickles, are not opened."""
    values = np.load(path, allow_pickle=False)
    if not 1 <= values.ndim <= 3 or values.size > LARGEST or values.dtype.kind not in "fiub":
        raise ValueError(f"{values.dtype} of shape {values.shape}")
    values = values.astype(np.float64)
    return SeriesFile(torch.from_numpy(values.reshape((1,) * (3 - values.ndim) + values.shape)))


def _wav(file: Path | bytes) -> SeriesFile:
    """Sound, whole numbers from -1 to 1."""
    values, rate = read_wav(file if isinstance(file, bytes) else file.read_bytes(), LARGEST)
    return SeriesFile(values, (), rate)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True


def as_numbers(data: Any, most: int = 3) -> Tensor:
    """Numbers in memory, with `most` axes at most, as doubles.

    Raises:
        InputError: they are none.
    """
    try:
        values = torch.as_tensor(np.asarray(data, dtype=np.float64) if not isinstance(data, Tensor) else data).double().cpu()
    except (TypeError, ValueError):
        raise InputError(
            "a series", f"an object of type {type(data).__name__}", "it holds no numbers in rows of equal length",
            "Give a .csv, .npy or .wav file, or an array (channel, time).",
        ) from None  # fmt: skip
    if not 1 <= values.dim() <= most or values.numel() == 0:
        raise InputError(
            "a series", f"numbers of shape {tuple(values.shape)}", "a series has channels and time steps",
            "Give (time,) or (channel, time).",
        )  # fmt: skip
    return values
