"""An explanation in a terminal: half blocks in 24-bit colour, or signs where there is no colour; and as a text file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.numbers import percent, with_sign
from pellucid.explanation.explanation import Explanation
from .modality.generated.words import sentences, warnings
from .modality.painters import WHOLE, inputs, painter, prompts
from .parts.cells import filled
from .parts.ledger_table import ledger_lines
from .parts.map import Map, prepare
from .parts.palette import RED_BLUE, RESET, Palette, ink, paper
from .parts.panel import Size, overlay, resized
from .parts.scale import Heat, Scale, each

MOST_BARS, MOST_SIGNS = 16, 32


def terminal(
    e: Explanation,
    width: int = 80,
    sample: int = 0,
    *,
    colour: bool = True,
    scale: str | float | Scale = "each",
    palette: Palette = RED_BLUE,
) -> str:
    """One sample as lines for a terminal: the map, its scale, the caption.

    Arguments:
        width: Columns to fill at most.
        colour: Whether the terminal shows 24-bit colour; if not, signs stand for the values.
        scale: As in `prepare`.
    """
    one, drawn = e[sample], prepare(e, sample, scale=scale, palette=palette)
    words = filled(one.caption(), width)
    return "\n".join([*map_lines(one, drawn, width, colour=colour, rescale=isinstance(scale, str)), *words])


def whole(e: Explanation, width: int = 80, *, colour: bool = True) -> str:
    """All rows of generated texts as lines for a terminal; "" where there is no such text, or one row of it."""
    return "\n\n".join(
        "\n".join([*WHOLE.lines(one, width, colour), *filled(" ".join([*sentences(one), *warnings(one), *one.notes]), width)])
        for one in prompts(e)
    )


def map_lines(e: Explanation, drawn: Map, width: int, *, colour: bool, rescale: bool = True) -> list[str]:
    """The map and its scale, without words below; of an empty map nothing, since the caption says why."""
    if e.parts:
        parts = [[f"{name}:", *map_lines(one, prepare(one), width, colour=colour), ""] for name, one in inputs(e)]
        return [line for lines in parts for line in lines]
    lines_of = painter(e).lines
    if lines_of is not None:
        return lines_of(e, drawn, width, colour)
    if drawn.empty:
        return []
    if drawn.flat:
        return bars(drawn, width, colour=colour)
    height, across = drawn.heat.shape
    cells = grid(height, across, columns=width if colour else min(width // 2, MOST_SIGNS))
    heat = resized(drawn.heat, cells, soft=drawn.coarse)  # a place per cell, which holds the mean of what it covers
    small = replace(drawn, heat=heat, scale=each(heat) if rescale else drawn.scale)
    lines = half_blocks(small, cells) if colour else signs(small.strength)
    return [*lines, legend(small, drawn, colour=colour)]


def text(e: Explanation) -> str:
    """Every sample in signs with its ledger, without colour."""
    if prompts(e):
        return whole(e, 78, colour=False)
    ledgers = [[] if one.ledger is None else ["", *ledger_lines(one.ledger, one.sinks())] for one in e]
    parts = ["\n".join([terminal(one, 78, colour=False), *lines]) for one, lines in zip(e, ledgers, strict=True)]
    if e.classes:
        shares = [(percent(share).replace(" ", ""), label or f"class {index}") for index, label, share in e.classes]
        parts[0] += "\n\n" + "\n".join(f"{share:>7}  {label}" for share, label in shares)
    return "\n\n".join(parts)


def grid(height: int, width: int, columns: int) -> Size:
    """Size (rows, columns) of the map in square cells: the longer side takes `columns`, the rows are even.

    Example:
        >>> grid(224, 224, 80), grid(100, 400, 80), grid(400, 100, 80)
        ((80, 80), (20, 80), (80, 20))
    """
    zoom = columns / max(height, width)
    return max(2, 2 * round(height * zoom / 2)), max(1, round(width * zoom))


def half_blocks(drawn: Map, cells: Size) -> list[str]:
    """Two pixels per character: the upper one is its ink, the lower one its paper."""
    pixels = np.asarray(overlay(drawn, cells))
    return [
        "".join(f"{ink(upper)}{paper(lower)}▀" for upper, lower in zip(above, below, strict=True)) + RESET
        for above, below in zip(pixels[::2], pixels[1::2], strict=True)
    ]


def signs(strength: Heat) -> list[str]:
    """Two characters per cell: ++ and -- from six tenths of the scale on, + and - from two tenths on, a dot below."""
    steps = np.digitize(strength, (-0.6, -0.2, 0.2, 0.6))
    return ["".join(("--", " -", " ·", " +", "++")[step] for step in row).rstrip() for row in steps]


def legend(small: Map, drawn: Map, *, colour: bool) -> str:
    """What the colours (or signs) mean, the scale, and how much is clipped, on one line."""
    across = drawn.heat.shape[1] / small.heat.shape[1]
    swatches = "  ".join(f"{ink(small.colour(level))}██{RESET} {text}" for level, text in small.ends(short=True))
    signs = ("++ +", "- --")
    marks = (
        swatches
        if colour
        else "  ".join(f"{sign} {text}" for sign, (_, text) in zip(signs, small.ends(short=True), strict=False))
    )
    pool = f" · means of {across:.2g} px" if across > 1 else ""
    return f"{marks} · {small.scale.short(small.heat, signed=small.signed)}{pool}"


def bars(drawn: Map, width: int, *, colour: bool) -> list[str]:
    """The features that say most, strongest first, each with its position, a bar and its value."""
    row, strength = drawn.heat[0], drawn.strength[0]
    order = np.argsort(-np.abs(row), kind="stable")[:MOST_BARS]
    room = max(8, width - 24)
    lines = []
    for index in order:
        length = max(1, round(abs(float(strength[index])) * room))
        bar = (
            f"{ink(drawn.colour(strength[index]))}{'█' * length}{RESET}" if colour else ("-" if row[index] < 0 else "+") * length
        )
        lines.append(f"{index:>8}  {bar} {with_sign(float(row[index]), signed=drawn.signed)}")
    left = row.size - len(order)
    return lines + ([f"          and {left:,} more, each smaller"] if left else [])
