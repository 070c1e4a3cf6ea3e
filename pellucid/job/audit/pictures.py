"""Pictures of items as the model saw them, small: read from files again, or undone from tensors where that is known."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from pellucid.core.picture import read_picture
from pellucid.errors import PellucidError
from pellucid.model import Preprocess
from ..items import SUFFIXES, Items

SMALL = 96  # pixels of the longer side
QUALITY = 80
EXCERPT = 400  # characters of a text


def file_of(items: Items, number: int) -> Path | None:
    """The file of an item: one of its kind, below the folder of the data, whatever its key says; else None."""
    if items.root is None or items.values is not None:
        return None
    root = items.root.resolve()
    path = (root / items.keys[number]).resolve()
    inside = path.is_relative_to(root) and path.suffix.lower() in SUFFIXES.get(items.kind, ())
    return path if inside and path.is_file() else None


def picture(items: Items, number: int, how: Any) -> Image.Image | None:
    """The pixels that the model saw, before any were scaled; None for what is no picture, or is not there any more.

    Arguments:
        how: What reads pictures for the model; without it the whole picture is shown.
    """
    if isinstance(items.values, Tensor):
        return of_tensor(items.values[number], how)
    path = file_of(items, number) if items.kind == "pictures" else None
    if path is None:
        return None
    try:
        image = read_picture(path)
        return how.crop(image) if isinstance(how, Preprocess) else image
    except (PellucidError, OSError):
        return None


def of_tensor(x: Tensor, how: Any) -> Image.Image | None:
    """A sample of a tensor as a picture.

    What the reader scaled is undone. Without one, values in [0, 1] are taken as they are, others from the lowest to the highest.
    """
    if x.dim() != 3 or x.shape[0] not in (1, 3):
        return None
    pixels = x.detach().cpu().float()
    if isinstance(how, Preprocess) and len(how.mean) == len(pixels):
        low, high = how.bounds()
        pixels = (pixels - low) / (high - low)
    elif float(pixels.amin()) < 0 or float(pixels.amax()) > 1:
        pixels = (pixels - pixels.amin()) / (pixels.amax() - pixels.amin()).clamp(min=1e-9)
    bytes_ = (pixels.clamp(0, 1) * 255).round().byte()
    return Image.fromarray((bytes_[0] if len(bytes_) == 1 else bytes_.permute(1, 2, 0)).numpy())


def of_view(view: Any) -> Image.Image:
    """The pooled grey picture that a store keeps of an item, from its lowest to its highest value."""
    grey = np.asarray(view, dtype=np.float32)
    spread = (grey - grey.min()) / max(float(grey.max() - grey.min()), 1e-9)
    return Image.fromarray((spread * 255).round().astype(np.uint8))


def small(image: Image.Image, side: int = SMALL) -> Image.Image:
    """At most so many pixels along the longer side."""
    scale = side / max(image.size)
    return image if scale >= 1 else image.resize(tuple(max(1, round(scale * n)) for n in image.size), Image.Resampling.BOX)  # type: ignore[arg-type]


def address(image: Image.Image) -> str:
    """A picture as an address that holds it: made anew from its pixels, so that nothing else is in it."""
    out = BytesIO()
    image.convert("L" if image.mode == "L" else "RGB").save(out, "WEBP", quality=QUALITY, method=2)
    return f"data:image/webp;base64,{b64encode(out.getvalue()).decode()}"


def excerpt(items: Items, number: int) -> str | None:
    """How a text begins; of a row, its entries; None for other inputs."""
    if items.kind == "rows" and items.values is not None:
        return "; ".join(f"{name}: {value}" for name, value in items.values[number].items())[:EXCERPT]
    if items.kind != "texts":
        return None
    if items.values is not None:
        return str(items.values[number])[:EXCERPT]
    path = file_of(items, number)
    if path is None:
        return None
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(EXCERPT)
