"""WAV: sound as whole numbers of 8 to 32 bits or as real numbers of 32 and 64, with any number of channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack, unpack_from

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WHOLE, REAL, EXTENSIBLE = 1, 3, 0xFFFE  # formats
UNKNOWN = (0, 0xFFFFFFFF)  # what programs that write into a pipe give as the size
OTHERS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "ADPCM", 49: "GSM", 85: "MP3"}


@dataclass(frozen=True)
class Format:
    """How samples are written.

    Arguments:
        kind: WHOLE or REAL.
        rate: Samples per second and channel.
        size: Bytes of one sample.
    """

    kind: int
    channels: int
    rate: int
    size: int


def read_wav(content: bytes, largest: int) -> tuple[Tensor, float]:
    """The samples, with shape (1, channel, time), whole numbers from -1 to 1; and how many of them make a second.

    Raises:
        ValueError: it is no WAV file, is damaged, compressed, or has more samples than `largest`.
    """
    chunks = _chunks(content)
    if b"fmt " not in chunks or b"data" not in chunks:
        raise ValueError(f"no {'samples' if b'fmt ' in chunks else 'format'} inside")
    form, data = _format(chunks[b"fmt "]), chunks[b"data"]
    frame = form.size * form.channels
    if len(data) // form.size > largest:
        raise ValueError(f"{len(data) // frame} frames")
    if len(data) % frame:
        raise ValueError(f"{len(data)} bytes of samples, of {frame} bytes for every step")
    values = _samples(data, form).reshape(-1, form.channels).T
    return torch.from_numpy(np.ascontiguousarray(values))[None], float(form.rate)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The parts of a file by name, of several with one name the first."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("no RIFF file of kind WAVE")
    made: dict[bytes, bytes] = {}
    for name, part in _parts(data):
        made.setdefault(name, part)
    return made


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = unpack_from("<4sI", data, at)
        if name == b"data" and size in UNKNOWN:
            size = len(data) - at - 8
        if at + 8 + size > len(data):
            raise ValueError(f"{len(data) - at - 8} of {size} bytes of its part {name.decode('ascii', 'replace')!r}")
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _format(part: bytes) -> Format:
    kind, channels, rate, _, _, bits = unpack("<HHIIHH", part[:16])
    if kind == EXTENSIBLE:
        kind = unpack_from("<H", part, 24)[0]  # the first bytes of a GUID; the others are the same for all formats
    if kind not in (WHOLE, REAL):
        raise ValueError(f"samples compressed as {OTHERS.get(kind, f'format {kind}')}; only plain numbers are read")
    if not channels or not rate or bits not in ((8, 16, 24, 32) if kind == WHOLE else (32, 64)):
        raise ValueError(f"{channels} channels of {bits} bits, {rate} samples a second")
    return Format(kind, channels, rate, bits // 8)


def _samples(data: bytes, form: Format) -> NDArray[np.float64]:
    if form.kind == REAL:
        return np.frombuffer(data, f"<f{form.size}").astype(np.float64)
    if form.size == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if form.size == 3:
        bits = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((bits[:, 0] << 8 | bits[:, 1] << 16 | bits[:, 2] << 24) >> 8).astype(np.float64) / 2**23
    return np.frombuffer(data, f"<i{form.size}").astype(np.float64) / 2.0 ** (8 * form.size - 1)
