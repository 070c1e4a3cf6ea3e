"""Which letters a font file has: its character map, read without a library for fonts."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Coverage:
    """The codes of letters that a font has, as ranges.

    Arguments:
        first, last: Both ends of every range, in order.
    """

    first: Codes
    last: Codes

    def has(self, letter: str) -> bool:
        """Whether the font has it."""
        place = int(np.searchsorted(self.first, ord(letter), side="right")) - 1
        return place >= 0 and ord(letter) <= int(self.last[place])


NOTHING = Coverage(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@cache
def coverage(path: str, index: int = 0) -> Coverage:
    """The letters of one font of a file (.ttf, .otf, .woff, or number `index` of a .ttc); none of a file that cannot be read."""
    try:
        return _parsed(_table(Path(path), index))
    except (OSError, ValueError, IndexError, struct.error, zlib.error):
        return NOTHING


@cache
def fonts_in(path: str) -> int:
    """How many fonts a file holds."""
    try:
        with open(path, "rb") as file:
            kind, _, count = struct.unpack(">4sII", file.read(12))
    except (OSError, struct.error):
        return 0
    return min(int(count), 64) if kind == b"ttcf" else 1


def _table(path: Path, index: int) -> bytes:
    """The bytes of the table `cmap`."""
    with path.open("rb") as file:
        kind = file.read(4)
        if kind == b"wOFF":
            file.seek(12)
            (count,) = struct.unpack(">H", file.read(2))
            file.seek(44)
            entries = (struct.unpack(">4sIIII", file.read(20)) for _ in range(count))
            found = ((start, packed, size) for tag, start, packed, size, _ in entries if tag == b"cmap")
            start, packed, size = next(found, (0, 0, 0))
            file.seek(start)
            data = file.read(packed)
            return zlib.decompress(data) if packed < size else data
        start = 0
        if kind == b"ttcf":
            file.seek(12 + 4 * index)
            (start,) = struct.unpack(">I", file.read(4))
        file.seek(start + 4)
        (count,) = struct.unpack(">H", file.read(2))
        file.seek(start + 12)
        tables = (struct.unpack(">4sIII", file.read(16)) for _ in range(count))
        start, size = next(((start, size) for tag, _, start, size in tables if tag == b"cmap"), (0, 0))
        file.seek(start)
        return file.read(size)


def _parsed(table: bytes) -> Coverage:
    """The best of the maps in a table: of all of Unicode (format 12), else of its first plane (format 4)."""
    (count,) = struct.unpack_from(">H", table, 2)
    places = [struct.unpack_from(">HHI", table, 4 + 8 * n) for n in range(count)]
    maps = {struct.unpack_from(">H", table, place)[0]: place for platform, code, place in places if (platform, code) != (3, 0)}
    if 12 in maps:
        return _groups(table, maps[12])
    return _segments(table, maps[4]) if 4 in maps else NOTHING


def _groups(table: bytes, place: int) -> Coverage:
    (count,) = struct.unpack_from(">I", table, place + 12)
    groups = np.frombuffer(table, ">u4", 3 * count, place + 16).reshape(count, 3).astype(np.int64)
    return Coverage(groups[:, 0], groups[:, 1])


def _segments(table: bytes, place: int) -> Coverage:
    count = struct.unpack_from(">H", table, place + 6)[0] // 2
    last, first, step, offset = (
        np.frombuffer(table, ">u2", count, place + start).astype(np.int64)
        for start in (14, 16 + 2 * count, 16 + 4 * count, 16 + 6 * count)
    )
    at = place + 16 + 6 * count
    codes = list[int]()
    for n in range(count):
        own = range(int(first[n]), min(int(last[n]), 0xFFFE) + 1)
        if offset[n] == 0:
            codes += [code for code in own if (code + step[n]) % 0x10000]
        else:
            glyphs = np.frombuffer(table, ">u2", len(own), at + 2 * n + int(offset[n])) if own else np.zeros(0)
            codes += [code for code, glyph in zip(own, glyphs, strict=True) if glyph]
    every = np.array(sorted(set(codes)), dtype=np.int64)
    if not len(every):
        return NOTHING
    breaks = np.flatnonzero(np.diff(every) > 1)
    return Coverage(every[np.r_[0, breaks + 1]], every[np.r_[breaks, len(every) - 1]])
