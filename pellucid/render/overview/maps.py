"""Mean maps: panels in rows, each over its words, and one scale for all."""

from __future__ import annotations

import numpy as np

from pellucid.core.numbers import figure
from pellucid.explanation.overview.maps import MeanMap, MeanMaps
from ..parts.drawing import Mark, Raster, Words, fitted
from ..parts.map import Map
from ..parts.palette import FAINT, INK, RED_BLUE, Pixels, ends
from ..parts.panel import overlay
from ..parts.scale import Scale, shared

ACROSS, GAP, WORDS, FOOT = 4, 20, 48, 62  # panels in a row; pixels


def maps(data: MeanMaps, wide: int) -> tuple[list[Mark], float]:
    """Every mean map over its words; the scale below."""
    across = max(1, min(ACROSS, len(data.groups)))
    side = (wide - (ACROSS - 1) * GAP) // ACROSS
    scale = shared([one.heat / one.n for one in data.groups])
    marks, tall = list[Mark](), 0
    for place, one in enumerate(data.groups):
        image = overlay(mean_map(one, scale, signed=data.signed), size := fitting(one, side))
        tall = max(tall, size[0])
        left, top = (place % across) * (side + GAP), (place // across) * (side + WORDS)
        marks.append(Raster(left, top, left + size[1], top + size[0], np.asarray(image)))
        marks += words(one, data.score, left, top + size[0], side)
    bottom = ((len(data.groups) - 1) // across) * (side + WORDS) + tall + WORDS
    return [*marks, *colour_bar(scale.limit, bottom, data)], bottom + FOOT


def fitting(one: MeanMap, side: int) -> tuple[int, int]:
    """The size (height, width) of a panel: the longer side is `side`."""
    height, width = one.heat.shape if one.picture is None else one.picture.shape[:2]
    zoom = side / max(height, width)
    return max(1, round(height * zoom)), max(1, round(width * zoom))


def mean_map(one: MeanMap, scale: Scale, *, signed: bool) -> Map:
    """The mean map over the mean picture, ready to paint."""
    picture = None if one.picture is None else (one.picture / one.n).round().clip(0, 255).astype(np.uint8)
    return Map(one.heat / one.n, scale, signed, "", picture, 0.0, RED_BLUE)


def words(one: MeanMap, score: str, left: float, top: float, side: float) -> list[Mark]:
    """What a panel is of."""
    many = f"{one.n:,} picture{'s' * (one.n > 1)}, {score} {figure(one.score / one.n)}"
    return [
        Words(left, top + 18, fitted(one.target, 14, side), 14, INK),
        Words(left, top + 35, fitted(many, 12, side), 12, FAINT),
    ]


def colour_bar(limit: float, top: float, data: MeanMaps, wide: int = 300) -> list[Mark]:
    """The scale of colours with its ends."""
    signed = data.signed
    strength = np.tile(np.linspace(-1.0 if signed else 0.0, 1.0, wide), (14, 1))
    pixels: Pixels = RED_BLUE.paint(strength, np.full((14, wide, 3), 235.0), signed=signed)
    meant = [text for _, text in ends(signed=signed, sides=data.sides)]
    marks: list[Mark] = [Raster(0, top + 18, wide, top + 32, pixels.round().astype(np.uint8))]
    if signed:
        marks += [Words(0, top + 12, meant[1], 13, INK), Words(wide, top + 12, meant[0], 13, INK, "r")]
        return [
            *marks,
            Words(0, top + 48, f"-{figure(limit)}", 13, FAINT),
            Words(wide, top + 48, f"+{figure(limit)}", 13, FAINT, "r"),
        ]
    return [
        *marks,
        Words(0, top + 12, meant[0], 13, INK),
        Words(0, top + 48, "0", 13, FAINT),
        Words(wide, top + 48, figure(limit), 13, FAINT, "r"),
    ]
