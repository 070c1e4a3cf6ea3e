"""How far two files of the same format differ: tensors by value, pictures by pixel, texts by the numbers that stand in them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable

import numpy as np
from PIL import Image

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
EMBEDDED = re.compile(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)")
SCRIPTS = re.compile(r"<script.*?</script>|<meta[^>]*>", re.DOTALL)  # of a page: what its still part says, too, and digests
LEAST = 1e-6  # what is smaller is taken for zero


def difference(one: bytes, other: bytes, suffix: str) -> float:
    """The largest difference between two files: a share of the largest value of a tensor, of the range of a pixel, or of a number
    in a text; infinite where they are not about the same.

    Example:
        >>> difference(b'{"sum": 2.0}', b'{"sum": 2.5}', ".json"), difference(b"a 1", b"b 1", ".json")
        (0.2, inf)
    """
    return COMPARED[suffix](one, other)


def of_tensors(one: bytes, other: bytes) -> float:
    from safetensors.numpy import load

    first, second = load(one), load(other)
    if {name: value.shape for name, value in first.items()} != {name: value.shape for name, value in second.items()}:
        return float("inf")
    return max((_share(first[name].astype(float), second[name].astype(float)) for name in first), default=0.0)


def _share(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference as a share of the largest value."""
    scale = max(float(np.abs(one).max(initial=0)), LEAST)
    return float(np.abs(one - other).max(initial=0)) / scale


def of_pictures(one: bytes, other: bytes) -> float:
    first, second = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float) for data in (one, other))
    return float(np.abs(first - second).max()) / 255 if first.shape == second.shape else float("inf")


def of_texts(one: bytes, other: bytes) -> float:
    """Of texts that are the same but for numbers, the largest difference of two of them as a share of the larger."""
    first, second = one.decode(), other.decode()
    pictures = list(zip(EMBEDDED.findall(first), EMBEDDED.findall(second), strict=False))
    first, second = EMBEDDED.sub("", first), EMBEDDED.sub("", second)
    if NUMBER.split(first) != NUMBER.split(second):
        return float("inf")
    pairs = zip(map(float, NUMBER.findall(first)), map(float, NUMBER.findall(second)), strict=True)
    shown = (of_pictures(base64.b64decode(a), base64.b64decode(b)) for a, b in pictures)
    return max(*(abs(a - b) / max(abs(a), abs(b), LEAST) for a, b in pairs), *shown, 0.0, 0.0)


def of_pages(one: bytes, other: bytes) -> float:
    """The difference of the still parts of two pages, which hold pictures, numbers and words of the result."""
    return of_texts(*(SCRIPTS.sub("", page.decode()).encode() for page in (one, other)))


COMPARED: dict[str, Callable[[bytes, bytes], float]] = {
    ".safetensors": of_tensors, ".png": of_pictures, ".json": of_texts, ".html": of_pages, ".svg": of_texts,
}  # fmt: skip
