"""Maps, masks and pictures of a document, as painters take them."""

from __future__ import annotations

import io
import zlib
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pellucid.explanation.regions import Region
from ..parts.map import Map, short
from ..parts.palette import RED_BLUE
from ..parts.scale import Heat, Scale

Data = Mapping[str, Any]  # part of a document: plain JSON


def heat(values: Data) -> Heat:
    """One number per place, with shape (height, width): exact where the document has exact numbers."""
    shape = tuple(values["shape"])
    if values.get("values") is not None:
        return np.array([np.nan if one is None else one for one in values["values"]], dtype=np.float64).reshape(shape)
    steps = np.frombuffer(inflated(values["map"]), dtype=np.int8).astype(np.float64)
    beyond = values.get("beyond") or {"places": [], "q": []}
    steps[beyond["places"]] = beyond["q"]
    found: Heat = steps.reshape(shape) / values["levels"] * values["scale"]["limit"]
    return found


def inflated(text: str) -> bytes:
    """Bytes that were deflated without a header."""
    return zlib.decompress(b64decode(text), -15)


def mask(region: Data, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which places a region takes up.

    Example:
        >>> mask({"rle": "1 3"}, (2, 2)).tolist()
        [[False, True], [True, True]]
    """
    lengths = [int(length) for length in region["rle"].split()]
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(shape)


def region(one: Data, shape: tuple[int, ...]) -> Region:
    """A region with its mask."""
    against = one["sign"] == "against"
    share_for, share_against = (0.0, one["share"]) if against else (one["share"], 0.0)
    places = torch.from_numpy(mask(one, shape))
    return Region(places, tuple(one["box"]), one["evidence"], share_for, share_against, one["area"], one["parts"])


def pixels(src: str | None) -> NDArray[np.uint8] | None:
    """The pixels of a picture that an address holds, with shape (height, width, 3)."""
    if not src:
        return None
    with Image.open(io.BytesIO(b64decode(src.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def drawn(layer: Data, subject: Data, values: Data | None = None) -> Map:
    """A layer made ready to paint.

    Arguments:
        values: The map of one of several inputs; None: the layer's own.
    """
    values = layer if values is None else values
    places, scale = heat(values), Scale(values["scale"]["limit"], values["scale"]["origin"])
    empty = layer["nothing"] or layer["doubt"] or ""
    card = "no evidence found" if layer["nothing"] else "under-sampled" if empty else ""
    picture = pixels(subject.get("src")) if len(places) > 1 else None
    sides = tuple(short(str(name)) for name, _ in layer["contrast"] or ())
    pair: tuple[str, str] | tuple[()] = (sides[0], sides[1]) if len(sides) == 2 else ()
    sinks = tuple(values.get("sinks", ()))
    return Map(places, scale, layer["signed"], empty, picture, 0.0, RED_BLUE, card, sinks, pair)
