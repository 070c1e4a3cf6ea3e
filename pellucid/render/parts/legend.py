"""What stands beside a map: the colour bar with its numbers, and the classes the model saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pellucid.core.numbers import figure, percent
from .map import Map, short
from .palette import FAINT, HAIR, INK, PAPER, UNSIGNED, Colour
from .text import font, paragraph, shorten, stack, width, write

BAR, TALL = 235.0, 18  # the bar lies on a pale grey, as most of a map does


def legend(drawn: Map, wide: int) -> Image.Image:
    """What the colours mean and how far the scale goes; nothing of an empty map, about which the caption says why."""
    if drawn.empty:
        return Image.new("RGB", (wide, 1), PAPER)
    bar = key(drawn, wide) if drawn.flat else colour_bar(drawn, wide)
    return stack([bar, paragraph(drawn.sentence(), 14, wide, FAINT)], gap=8)


def key(drawn: Map, wide: int) -> Image.Image:
    """The colours of bars, whose length is their value."""
    image = Image.new("RGB", (wide, 24), PAPER)
    draw, left = ImageDraw.Draw(image), 0
    for level, meaning in drawn.ends():
        draw.rectangle((left, 5, left + 13, 18), fill=drawn.colour(level))
        write(image, (left + 22, 18), meaning, 15)
        left += max(150, round(width(meaning, 15)) + 40)
    return image


def colour_bar(drawn: Map, wide: int) -> Image.Image:
    """The palette from one end of the scale to the other, and what its ends mean."""
    image = Image.new("RGB", (wide, TALL + 46), PAPER)
    draw = ImageDraw.Draw(image)
    strength = np.tile(np.linspace(-1.0 if drawn.signed else 0.0, 1.0, wide), (TALL, 1))
    colours = drawn.palette.paint(strength, np.full((TALL, wide, 3), BAR), signed=drawn.signed)
    image.paste(Image.fromarray(colours.round().astype(np.uint8)), (0, 24))
    for place, anchor, meaning, number in ticks(figure(drawn.scale.limit), drawn):
        at = round(place * (wide - 1))
        write(image, (at, 18), meaning, 15, anchor=anchor + "s")
        draw.line((at, 24 + TALL, at, 27 + TALL), FAINT)
        draw.text((at, TALL + 44), number, INK, font(14), anchor=anchor + "s")
    return image


def swatch(colour: Colour, words: str, wide: int) -> Image.Image:
    """A square of a colour, and beside it what the colour stands for."""
    beside = paragraph(words, 15, wide - 22)
    image = Image.new("RGB", (wide, beside.height), PAPER)
    image.paste(beside, (22, 0))
    ImageDraw.Draw(image).rectangle((0, 4, 13, 17), fill=colour)
    return image


def ticks(top: str, drawn: Map) -> tuple[tuple[float, str, str, str], ...]:
    """Place, anchor, meaning and number of the ticks of a colour bar that ends at `top`."""
    if drawn.signed:
        (_, high), (_, low) = drawn.ends()
        return (0.0, "l", low, f"-{top}"), (0.5, "m", "", "0"), (1.0, "r", high, f"+{top}")
    return (0.0, "l", UNSIGNED, "0"), (1.0, "r", "", top)


def class_bars(
    classes: Sequence[tuple[int, str, float]], wide: int, accents: tuple[Colour, Colour], target: str, sides: tuple[str, ...] = ()
) -> Image.Image:
    """The model's top classes with their probabilities; the one that is the target stands out.

    Arguments:
        accents: The colours of the target, and of what it is compared with.
        sides: What each colour speaks for, where two scores are compared.
    """
    row = 26
    image = Image.new("RGB", (wide, row * (len(classes) + 1)), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((0, 18), "The model's first choices", INK, font(15), anchor="ls")
    start, end = round(0.52 * wide), wide - 58
    for place, (index, label, probability) in enumerate(classes, start=1):
        base = place * row + 17
        chosen = f'"{label}"' in target or f" {index} " in f"{target} "
        accent = accents[sides[1:] == (short(f'"{label}"'),)]
        write(image, (0, base), shorten(label or f"class {index}", 15, start - 14), 15, INK if chosen else FAINT)
        draw.rectangle((start, base - 10, end, base - 2), fill=HAIR)
        if probability * (end - start) >= 1:
            draw.rectangle((start, base - 10, start + probability * (end - start), base - 2), fill=accent if chosen else FAINT)
        draw.text((wide, base), percent(probability), INK if chosen else FAINT, font(14), anchor="rs")
    return image
