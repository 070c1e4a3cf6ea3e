"""Damaged files: seeded mutations of bytes, of JSON, and of the headers of safetensors files."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, -0.5, 1e308, float("nan"), float("inf"), "", "a", "\x1b[2J", "\u202e", "../../x",
    "x" * 5000, [], [[]], [1, -2], [None], ["a", 1], {}, {"a": 1}, {"->tensor": "values"}, {"->subject": {}, "at": "x"},
)  # fmt: skip
BYTES = (b"", b"\x00", b"\xff" * 8, b"\x80\x04.", b"[" * 4000, b"{}", b"\n", b'"', b"-1", b"1e999", b"\xf0\x9f\x92\xa9")


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes with bits turned, parts cut out, repeated, moved or overwritten."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        size = len(out)
        a, b = sorted((rng.randrange(size + 1), rng.randrange(size + 1)))
        match rng.randrange(7):
            case 0 if size:
                out[min(a, size - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del out[a:]
            case 2:
                del out[a : min(b, a + rng.choice((1, 8, 100)))]
            case 3:
                out[a:a] = rng.choice(BYTES)
            case 4:
                out[a : a + 8] = struct.pack("<q", rng.choice((0, -1, 2**62, 2**31, 7, size)))
            case 5:
                out[a:a] = out[a:b][:200]
            case _:
                part = rng.choice(BYTES)
                out[a : a + len(part)] = part
    return bytes(out)


def mutated_json(data: Any, rng: random.Random) -> Any:
    """The data with values replaced by odd ones, swapped, dropped, doubled, named otherwise, or packed into one another."""
    data = json.loads(json.dumps(data))
    for _ in range(rng.choice((1, 1, 2, 3))):
        holders = [holder for holder in _holders(data) if holder]
        if not holders:
            return deepcopy(rng.choice(ODD))
        holder = rng.choice(holders)
        key: Any = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        match rng.randrange(7):
            case 0 | 1:
                holder[key] = deepcopy(rng.choice(ODD))
            case 2:
                del holder[key]
            case 3:
                other: Any = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
                holder[key], holder[other] = holder[other], holder[key]
            case 4 if isinstance(holder, dict):
                holder[rng.choice((f"{key}2", "zzz", key.upper(), "\x1b"))] = holder.pop(key)
            case 5:
                holder[key] = _nested(holder[key], rng.choice((1, 2, 50)))
            case _:
                holder[key] = [holder[key], holder[key]] if not isinstance(holder[key], list) else holder[key] * 2
    return data


def _holders(data: Any) -> Iterator[Any]:
    if isinstance(data, (dict, list)):
        yield data
        for part in list(data.values() if isinstance(data, dict) else data):
            yield from _holders(part)


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def mutated_text(data: str, rng: random.Random) -> str:
    """JSON as text: mutated as data, or as text."""
    if rng.random() < 0.8:
        return json.dumps(mutated_json(json.loads(data), rng))
    return mutated_bytes(data.encode(), rng).decode(errors="replace")


def mutated_tensors(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file with its bytes, the words in its header, or names, types, shapes and places of its tensors mutated."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = rng.randrange(10)
    if kind < 2:
        return mutated_bytes(data, rng)
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    if kind < 6 and header.get("__metadata__"):
        told = header["__metadata__"]
        name = rng.choice(sorted(told))
        told[name] = mutated_text(told[name], rng) if told[name][:1] in "[{" else rng.choice(("", "[]", "{", "9" * 5000))
    elif kind < 8 and len(tensors) > 1:  # tensors under one another's names: still a sound file
        first, second = rng.sample(sorted(tensors), 2)
        header[first], header[second] = header[second], header[first]
        if rng.random() < 0.3:
            header[f"{first}x"] = header.pop(first)
    elif kind == 8:  # other shapes and types of as many bytes
        entry = header[rng.choice(sorted(tensors))]
        size = entry["data_offsets"][1] - entry["data_offsets"][0]
        entry["dtype"], entry["shape"] = rng.choice((
            ("U8", [size]), ("I8", [1, size]), ("BOOL", [size]), ("F16", [size // 2]), ("BF16", [1, size // 2]),
            ("I32", [size // 4]), ("F64", [size // 8]), ("U16", [size // 2]), ("C64", [size // 8]), ("F8_E4M3", [size]),
            ("F32", [size // 4, 1, 1, 1, 1, 1]),
        ))  # fmt: skip
    else:
        header = mutated_json(header, rng)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def mutants(data: bytes, mutate: Callable[[bytes, random.Random], bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """So many damaged files."""
    for number in range(count):
        yield mutate(data, random.Random(f"{seed} {number}"))
