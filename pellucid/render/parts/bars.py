"""Evidence of inputs that are no picture: one bar per feature or time step, up for and down against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pellucid.core.numbers import figure
from .map import Map
from .palette import FAINT, HAIR, INK, PAPER
from .scale import Heat
from .text import font, width

HEIGHT, LEFT, FOOT = 260, 84, 30
SEPARATE = 64  # up to this many bars stand apart and are numbered


def bars(drawn: Map, wide: int, kept: NDArray[np.bool_] | None = None) -> Image.Image:
    """The values as bars about zero, with the scale at the side.

    Arguments:
        wide: The width of it all in pixels.
        kept: Which of the values have their colour; the others are grey. None: all of them.
    """
    image = Image.new("RGB", (wide, HEIGHT + FOOT), PAPER)
    draw = ImageDraw.Draw(image)
    zero = HEIGHT // 2 if drawn.signed else HEIGHT - 12
    reach = zero - 12
    axis(draw, drawn, zero, reach, wide)
    bright = np.ones(drawn.heat.size, dtype=bool) if kept is None else kept
    for part, painted in ((np.where(bright, 0.0, drawn.strength[0]), False), (np.where(bright, drawn.strength[0], 0.0), True)):
        for left, right, *levels in columns(part, wide - LEFT):
            for level in filter(None, levels):
                box = (LEFT + left, zero - max(level, 0) * reach, LEFT + right, zero - min(level, 0) * reach)
                draw.rectangle(box, fill=drawn.colour(level) if painted else HAIR)
    numbers(draw, drawn.heat.size, wide)
    return image


def columns(strength: Heat, room: int) -> list[tuple[int, int, float, float]]:
    """One column (left, right, lowest, highest) per feature; where features are finer than pixels, per pixel."""
    count = min(len(strength), room)
    edges = np.linspace(0, room, count + 1)
    gap = 0.25 * room / count if count <= SEPARATE else 0.0
    lefts = [round(edge + gap / 2) for edge in edges[:-1]]
    rights = [max(left, round(edge - gap / 2) - 1) for left, edge in zip(lefts, edges[1:], strict=True)]
    groups = np.array_split(strength, count)
    return [
        (left, right, min(0.0, float(group.min())), max(0.0, float(group.max())))
        for left, right, group in zip(lefts, rights, groups, strict=True)
    ]


def axis(draw: ImageDraw.ImageDraw, drawn: Map, zero: int, reach: int, wide: int) -> None:
    """Lines at zero and at the scale's ends, with their numbers."""
    top = figure(drawn.scale.limit)
    for level, words in ((1, f"+{top}"), (0, "0"), (-1, f"-{top}")) if drawn.signed else ((1, top), (0, "0")):
        height = zero - level * reach
        draw.line((LEFT, height, wide, height), FAINT if level == 0 else HAIR)
        draw.text((LEFT - 10, height), words, INK, font(14), anchor="rm")


def numbers(draw: ImageDraw.ImageDraw, count: int, wide: int) -> None:
    """Positions of features along the foot, as many as fit."""
    pitch, room = (wide - LEFT) / count, width(str(count), 13) + 14
    step = next(step for power in range(9) for step in (10**power, 2 * 10**power, 5 * 10**power) if step * pitch >= room)
    draw.text((LEFT - 10, HEIGHT + 6), "feature", FAINT, font(13), anchor="rt")
    for position in range(0, count, step):
        draw.text((LEFT + (position + 0.5) * pitch, HEIGHT + 6), str(position), FAINT, font(13), anchor="mt")
