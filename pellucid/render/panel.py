"""The panels of a figure: the photograph, the map painted over it, and a card that says there is nothing to paint."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pellucid.render.map import Map
from pellucid.render.palette import INK, PAPER, Pixels
from pellucid.render.scale import Heat
from pellucid.render.text import paragraph

SMALLEST, LARGEST = 448, 896  # pixels along the longer side of a panel
NOTHING_WIDE = 196  # "no evidence found" on one line
DARKEST = 140  # black is lifted to this grey, so that both hues stay apart from it

Size = tuple[int, int]


def panel_size(height: int, width: int) -> Size:
    """Size (height, width) a picture is drawn at: a whole multiple up to the smallest panel, shrunk above the largest.

    Example:
        >>> panel_size(224, 224), panel_size(28, 14), panel_size(1792, 896)
        ((448, 448), (448, 224), (896, 448))
    """
    longest = max(height, width)
    zoom: float = math.ceil(SMALLEST / longest) if longest <= LARGEST else LARGEST / longest
    return max(1, round(height * zoom)), max(1, round(width * zoom))


def photograph(picture: NDArray[np.uint8], size: Size) -> Image.Image:
    """The picture as the model saw it, enlarged; tiny ones keep their square pixels."""
    soft = min(picture.shape[:2]) >= 96
    return Image.fromarray(picture).resize(size[::-1], Image.Resampling.BICUBIC if soft else Image.Resampling.NEAREST)


def ground(picture: NDArray[np.uint8] | None, size: Size) -> Pixels:
    """What relevance is painted on: the photograph in pale grey, or white paper; with shape (height, width, 3)."""
    if picture is None:
        return np.full((*size, 3), 255.0)
    grey = np.asarray(photograph(picture, size).convert("L"), dtype=float)
    return np.repeat((DARKEST + (255 - DARKEST) * grey / 255)[..., None], 3, axis=2)


def overlay(drawn: Map, size: Size) -> Image.Image:
    """The map painted over its ground; coarse maps are interpolated, all others keep their square places."""
    strength = resized(drawn.strength, size, soft=drawn.coarse)
    colours = drawn.palette.paint(strength, ground(drawn.picture, size), signed=drawn.signed)
    return Image.fromarray(colours.round().astype(np.uint8))


def resized(heat: Heat, size: Size, *, soft: bool = False) -> Heat:
    """The map at another size: averaged when it shrinks, square places (or `soft` transitions) when it grows."""
    grow = Image.Resampling.BICUBIC if soft else Image.Resampling.NEAREST
    how = Image.Resampling.BOX if heat.shape[0] > size[0] else grow
    fine = np.asarray(Image.fromarray(heat.astype(np.float32)).resize(size[::-1], how), dtype=float)
    return fine.clip(heat.min(), heat.max())  # a cubic may swing past the values it passes through


def blank(below: Pixels) -> Image.Image:
    """Stands where a map would, and says that there is none."""
    image = Image.fromarray(below.round().astype(np.uint8))
    words = paragraph("no evidence found", 22, max(60, min(image.width - 40, NOTHING_WIDE)), INK)
    card = ImageOps.expand(words, border=14, fill=PAPER)
    image.paste(card, ((image.width - card.width) // 2, (image.height - card.height) // 2))
    return image
