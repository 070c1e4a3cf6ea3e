"""Drawing: simple shapes as masks, and textured backgrounds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SHAPES = ("disc", "square", "triangle", "cross")
COLOURS = {"red": (0.9, 0.15, 0.1), "green": (0.1, 0.75, 0.2), "blue": (0.15, 0.25, 0.95), "yellow": (0.95, 0.85, 0.1)}


def shape(kind: str, side: int, centre: Tensor, radius: Tensor | float) -> Tensor:
    """One shape per row, as masks with shape (n, side, side).

    Arguments:
        kind: One of `SHAPES`.
        centre: Row and column, in pixels, with shape (n, 2).
        radius: From the centre to the border, in pixels.

    Example:
        >>> shape("cross", 3, torch.tensor([[1.0, 1.0]]), 1.5)[0].int()
        tensor([[0, 1, 0],
                [1, 1, 1],
                [0, 1, 0]], dtype=torch.int32)
    """
    axis = torch.arange(side, dtype=centre.dtype)
    y = axis[None, :, None] - centre[:, 0, None, None]
    x = axis[None, None, :] - centre[:, 1, None, None]
    r = torch.as_tensor(radius, dtype=centre.dtype).reshape(-1, 1, 1)
    return _distance(kind, y, x, r) <= 0


def _distance(kind: str, y: Tensor, x: Tensor, r: Tensor) -> Tensor:
    """Below zero inside."""
    if kind == "disc":
        return (y.square() + x.square()).sqrt() - r
    if kind == "square":
        return torch.maximum(y.abs(), x.abs()) - 0.85 * r
    if kind == "triangle":
        return torch.maximum(y - 0.7 * r, x.abs() - 0.55 * (y + r))
    across = torch.minimum(y.abs(), x.abs()) - 0.3 * r
    return torch.maximum(across, torch.maximum(y.abs(), x.abs()) - r)


def colour(name: str) -> Tensor:
    """Red, green and blue, with shape (3,)."""
    return torch.tensor(COLOURS[name])


def painted(ground: Tensor, masks: Tensor, colours: Tensor) -> Tensor:
    """Pictures with one thing each painted over them.

    Arguments:
        ground: With shape (n, channel, height, width).
        masks: Where, with shape (n, height, width).
        colours: With shape (n, channel) or (channel,).
    """
    return torch.where(masks[:, None], colours.expand(len(ground), -1)[:, :, None, None], ground)


def texture(n: int, channels: int, side: int, rng: Generator, *, grain: int = 4, low: float = 0.2, high: float = 0.6) -> Tensor:
    """Smooth noise: a coarse grid of random colours, a `grain` of pixels apart, with what lies between interpolated."""
    coarse = torch.rand(n, channels, side // grain + 1, side // grain + 1, generator=rng)
    fine = F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=True)
    return low + (high - low) * fine


def stripes(n: int, channels: int, side: int, rng: Generator, *, kind: int) -> Tensor:
    """Grounds of one of four kinds, each with a phase and a colour of its own: rows, columns, diagonals, squares."""
    axis = torch.arange(side)
    along = (axis[:, None].expand(side, side), axis.expand(side, side), axis[:, None] + axis, axis[:, None] // 3 + axis // 3 * 3)
    phase = torch.randint(6, (n, 1, 1), generator=rng)
    wave = ((along[kind][None] + phase) // 3 % 2).float()[:, None]
    tint = 0.3 + 0.4 * torch.rand(n, channels, 1, 1, generator=rng)
    return tint * (0.6 + 0.4 * wave)


def at(masks: Tensor, labels: Tensor) -> Tensor:
    """Of masks for every label, with shape (label, n, height, width), each sample's own."""
    return masks[labels, torch.arange(len(labels))]
