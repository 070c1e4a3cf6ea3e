"""How numbers and pictures travel in a document: maps as deflated bytes, masks as runs, pictures as addresses that hold them."""

from __future__ import annotations

import io
import math
import zlib
from base64 import b64encode
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .schema import Beyond, Number

LEVELS = (127, 63, 31, 15, 7)  # steps from zero to the limit: the finest, and coarser ones where a case would be too large
QUALITY, LARGEST = 85, 448  # of JPEG; pixels along the longer side
TINY = 96  # pixels along the longer side, up to which a picture keeps every pixel, as PNG


def quantised(heat: NDArray[Any], limit: float, levels: int = LEVELS[0]) -> tuple[str, Beyond | None]:
    """Values in steps, `levels` of which make the limit, row by row, one signed byte each, deflated without a header, in base64;
    and those beyond the scale, whose byte is -levels or levels, with their true number of steps.

    Example:
        >>> quantised(np.array([[0.0, 0.5, -2.0]]), 1.0)
        ('Y3BoBAA=', {'places': [2], 'q': [-254]})
    """
    q = np.rint(heat.ravel() / limit * levels)
    places = np.flatnonzero(np.abs(q) > levels)
    beyond = Beyond(places=places.tolist(), q=[int(step) for step in q[places]]) if len(places) else None
    return deflated(q.clip(-levels, levels).astype(np.int8)), beyond


def deflated(values: NDArray[np.int8] | NDArray[np.uint8]) -> str:
    """Bytes, deflated as `DecompressionStream("deflate-raw")` of browsers reads them, in base64."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return b64encode(press.compress(values.tobytes()) + press.flush()).decode()


def runs(mask: NDArray[np.bool_]) -> str:
    """A mask, row by row, as the lengths of its runs, the first of which lies outside and may be 0.

    Example:
        >>> runs(np.array([[False, True], [True, True]])), runs(np.array([[True, False]]))
        ('1 3', '0 1 1')
    """
    flat = mask.ravel()
    edges = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    lengths = [last - first for first, last in pairwise(edges)]
    return " ".join(map(str, [0, *lengths] if flat[0] else lengths))


def exact(values: NDArray[Any]) -> list[Number]:
    """Numbers as short as they can be without a loss; null where they are not finite.

    Example:
        >>> exact(np.array([0.1, float("nan")], dtype=np.float32))
        [0.1, None]
    """
    return [float(str(value)) if math.isfinite(value) else None for value in values.ravel()]


def number(value: float | None) -> Number:
    """A number with the digits of float32, null where it is not finite.

    Example:
        >>> number(0.10000000149011612), number(float("inf"))
        (0.1, None)
    """
    return None if value is None or not math.isfinite(value) else float(str(np.float32(value)))


def numbers(values: NDArray[Any]) -> list[Number]:
    """Every one with the digits of float32."""
    return [number(value) for value in values.ravel().tolist()]


def address(image: Image.Image | NDArray[np.uint8], largest: int = LARGEST) -> str:
    """A picture as an address that holds all of it: JPEG, made smaller where it is larger than can be shown; tiny ones as PNG."""
    image = (Image.fromarray(image) if isinstance(image, np.ndarray) else image).convert("RGB")
    longest = max(image.size)
    if longest > largest:
        wide, high = (max(1, round(side * largest / longest)) for side in image.size)
        image = image.resize((wide, high), Image.Resampling.LANCZOS)
    kind, options = ("png", {}) if longest <= TINY else ("jpeg", {"quality": QUALITY})
    file = io.BytesIO()
    image.save(file, format=kind, optimize=True, **options)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"


def averaged(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """The means over neighbouring rows and columns, fewer of them at the edges.

    Example:
        >>> averaged(np.array([[1.0, 3.0, 5.0], [1.0, 3.0, 7.0]]), 2, 2)
        array([[2., 6.]])
    """
    for axis, count in enumerate((rows, columns)):
        edges = np.arange(0, values.shape[axis], count)
        sizes = np.diff([*edges, values.shape[axis]])
        values = np.add.reduceat(values, edges, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return values
