"""The header of a GGUF file: which network it is, and what its tensors are. Read as data, before anything is made of it.

References: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
MOST_AXES, MOST_NESTED = 8, 4
KEPT = 64  # entries of an array that are kept; vocabularies are counted


class TensorInfo(NamedTuple):
    """One tensor: its name, its sizes, the number of its type in the format, and where its bytes begin."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself.

    Arguments:
        values: Its settings by name; of arrays the first `KEPT` entries.
        tensors: Its tensors, in order.
        start: Where the bytes of the tensors begin, which their offsets count from.
    """

    values: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    start: int

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    @property
    def parts(self) -> int:
        """Of how many files the model consists."""
        count = self.values.get("split.count", 1)
        return count if isinstance(count, int) else 1

    @property
    def numbers(self) -> int:
        """How many weights there are."""
        return sum(tensor.numbers for tensor in self.tensors)


def read(path: Path) -> Header:
    """The header of a file.

    Raises:
        ValueError: it is damaged, or of a version that nothing here reads.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _header(_Cursor(data))
        except (struct.error, UnicodeDecodeError, KeyError, RecursionError) as error:
            raise ValueError(f"its header breaks off or is garbled: {type(error).__name__} {error}") from None


class _Cursor:
    """A place in the bytes of a file, which moves on with every value that is read."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.place = data, 4  # behind the magic letters

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.place)
        self.place += struct.calcsize(form)
        return value

    def count(self, least: int) -> int:
        """How many things follow: no more than there is room for, of at least so many bytes each."""
        value: int = self.number("<Q")
        if value * least > len(self.data) - self.place:
            raise struct.error(f"{value} entries in {len(self.data) - self.place} bytes")
        return value

    def string(self) -> str:
        size = self.count(1)
        self.place += size
        return self.data[self.place - size : self.place].decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.number(FORMATS[kind])
        inner, count = self.number("<I"), self.count(1)
        if depth > MOST_NESTED:
            raise struct.error("arrays in arrays in arrays")
        if inner in FORMATS:
            return self.numbers(FORMATS[inner], count)
        kept = []
        for place in range(count):
            entry = self.value(inner, depth + 1)
            kept += [entry] if place < KEPT else []
        return kept

    def numbers(self, form: str, count: int) -> list[Any]:
        """An array of numbers of one size, which is stepped over."""
        begin, size = self.place, struct.calcsize(form)
        if begin + count * size > len(self.data):
            raise struct.error(f"{count} numbers in {len(self.data) - begin} bytes")
        self.place += count * size
        return [struct.unpack_from(form, self.data, begin + size * place)[0] for place in range(min(count, KEPT))]


def _header(at: _Cursor) -> Header:
    version = at.number("<I")
    if version not in VERSIONS:
        raise ValueError(f"version {version} of the format, where 2 and 3 are read")
    tensors, settings = at.count(24), at.count(13)
    values = dict(_setting(at) for _ in range(settings))
    infos = tuple(_tensor(at) for _ in range(tensors))
    alignment = values.get("general.alignment", 32)
    step = alignment if isinstance(alignment, int) and alignment > 0 else 32
    return Header(values, infos, -(-at.place // step) * step)


def _setting(at: _Cursor) -> tuple[str, Any]:
    name = at.string()
    return name, at.value(at.number("<I"))


def _tensor(at: _Cursor) -> TensorInfo:
    name, axes = at.string(), at.number("<I")
    if axes > MOST_AXES:
        raise struct.error(f"{axes} axes of {name}")
    shape = tuple(at.number("<Q") for _ in range(axes))
    return TensorInfo(name, shape, at.number("<I"), at.number("<Q"))
