"""The panels of a figure: the photograph, the map painted over it, and a card that says there is nothing to paint."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from .map import Map
from .palette import HAIR, INK, PAPER, Pixels
from .scale import Heat
from .text import paragraph, width

SMALLEST, LARGEST = 448, 896  # pixels along the longer side of a panel
CARD_WIDE = 196  # "no evidence found" on one line
STRIPES, STRIPE = 24, (205, 208, 213)  # pixels from one stripe to the next, and their colour
SOFT = 96  # pixels along the shorter side, from which on a picture is interpolated
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
    return Image.fromarray(picture).resize(size[::-1], enlarging(picture.shape[:2]))


def enlarging(size: Size) -> Image.Resampling:
    """How pictures and masks of that size grow: what is tiny keeps its square pixels."""
    return Image.Resampling.BICUBIC if min(size) >= SOFT else Image.Resampling.NEAREST


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


def card(words: str, below: Pixels, *, hatched: bool = False) -> Image.Image:
    """Stands where a map would, and says why there is none.

    Arguments:
        below: What the words lie on, with shape (height, width, 3).
        hatched: Whether stripes run over it: there are values, and they are not to be read.
    """
    if hatched:
        striped = np.less(np.indices(below.shape[:2]).sum(0) % STRIPES, STRIPES // 3)
        below = np.where(striped[..., None], np.array(STRIPE, dtype=float), 0.4 * below + 0.6 * 255)
    image = Image.fromarray(below.round().astype(np.uint8))
    text = paragraph(words, 22, max(60, min(image.width - 40, CARD_WIDE, round(width(words, 22)) + 1)), INK)
    box = ImageOps.expand(text, border=14, fill=PAPER)
    image.paste(box, ((image.width - box.width) // 2, (image.height - box.height) // 2))
    if not hatched:  # on white paper nothing else shows how far it reaches
        ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=HAIR)
    return image
