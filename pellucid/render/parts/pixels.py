"""Tensors as they are drawn: pictures, slices of volumes, curves of signals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .palette import INK, PAPER
from .panel import Size, enlarging
from .text import stack

GAP = 16
SIDE = 224  # pixels along the longer side of a picture, at least
CURVE = 96  # pixels a signal is high


def drawn(image: Tensor, bounded: bool) -> Image.Image:
    """A picture (channel, height, width), the middle slice of a volume, or a curve per channel of a signal or a row.

    Small pictures are enlarged by a whole number; none is made smaller.
    """
    if image.dim() > 3:
        image = image[:, image.shape[1] // 2]
    if image.dim() < 3:
        return curves(image if image.dim() == 2 else image[None])
    pixels = painted(image, bounded)
    height, width = pixels.shape[:2]
    zoom = max(1, math.ceil(SIDE / max(height, width)))
    return Image.fromarray(pixels).resize((width * zoom, height * zoom), enlarging((height, width)))


def fitted(pixels: NDArray[np.uint8], side: int = SIDE) -> Image.Image:
    """A part of a picture, enlarged or made smaller until its longer side is `side`; few pixels are shown as what they are."""
    height, width = pixels.shape[:2]
    sampling = enlarging((height, width)) if max(height, width) < side else Image.Resampling.LANCZOS
    return Image.fromarray(pixels).resize(scaled(height, width, side)[::-1], sampling)


def scaled(height: int, width: int, side: int = SIDE) -> Size:
    """The size (height, width) at which the longer side is `side`."""
    longest = max(height, width)
    return max(1, round(height * side / longest)), max(1, round(width * side / longest))


def painted(image: Tensor, bounded: bool) -> NDArray[np.uint8]:
    """The pixels: colours of three channels, grey of one, and of others the mean, which is said to be nothing else."""
    values = image.double()
    if not bounded:
        low, high = values.min(), values.max()
        values = (values - low) / (high - low) if high > low else values * 0 + 0.5
    values = values if len(values) == 3 else values.mean(0, keepdim=True).expand(3, -1, -1)
    pixels: NDArray[np.uint8] = (values.clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    return pixels


def curves(signal: Tensor) -> Image.Image:
    """Channels of a signal (channel, length) as bars up and down from a line, one below the other."""
    bands = []
    for channel in signal.double().numpy():
        heights = np.interp(np.linspace(0, len(channel) - 1, SIDE), np.arange(len(channel)), channel)
        top = max(float(np.abs(heights).max()), 1e-12)
        rows = (1 - np.arange(CURVE)[:, None] / (CURVE - 1) * 2) * np.ones((1, SIDE))
        level = heights[None] / top
        inside = np.where(level >= 0, (rows >= 0) & (rows <= level), (rows <= 0) & (rows >= level))
        bands.append(Image.fromarray(np.where(inside[..., None], np.array(INK), np.array(PAPER)).astype(np.uint8)))
    return stack(bands[:8], 4)
