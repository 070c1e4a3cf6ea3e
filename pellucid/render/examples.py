"""Real pictures that activate a unit most: cropped to its receptive field, dimmed where relevance is low."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from pellucid.core.numbers import figure
from pellucid.synth.examples.example import Example, Examples
from .image import encoded, framed
from .parts.palette import AMBER, FAINT, HAIR, INK, PAPER
from .parts.pixels import GAP, SIDE, drawn, fitted, painted
from .parts.text import line, paragraph, side_by_side, stack

MOST = 32  # units on one sheet
LEFT = 0.3  # of a picture's colour where the unit finds nothing
FULL = 0.2  # of the largest relevance, from which on colours are full
BLUR = 16  # relevance is averaged over the side's 16th part, so that a place is shown and not single pixels


def example_sheet(e: Examples) -> Image.Image:
    """A row of examples for each unit, the first 32 of many."""
    wide = SIDE * max((len(row) for row in e.rows), default=1)
    each = f" of each of {len(e)} units" if len(e) > 1 else ""
    what = f"Real pictures with the highest {e.by}{each}, of {e.seen:,} in all"
    parts = [paragraph(what, 17, wide, INK)]
    for unit, row in list(zip(e.units, e.rows, strict=True))[:MOST]:
        cells = [example_cell(e, example, SIDE) for example in row] or [no_example(e.seen, SIDE)]
        parts += [line(unit, 15, wide, INK), side_by_side(cells, SIDE, GAP)]
    left = [f"The first {MOST} of {len(e)} units are shown."] if len(e) > MOST else []
    parts += [paragraph(note, 14, wide, AMBER) for note in (*left, *e.notes)]
    return framed(stack([*parts, paragraph(legend(e), 14, wide, FAINT)], GAP))


def legend(e: Examples) -> str:
    """What is shown of real pictures, in words."""
    shown = [example for row in e.rows for example in row]
    cut = any(example.box != tuple((0, side) for side in example.image.shape[1:]) for example in shown)
    masked = any(example.mask is not None and example.image.dim() == 3 for example in shown)
    words = [f"Real pictures are those of {e.seen:,} with the highest {e.by}"]
    words += ["cropped to what the unit can see"] if cut else []
    words += ["faint where its own relevance is small"] if masked else []
    return ", ".join(words) + "."


def example_cell(e: Examples, example: Example, wide: int) -> Image.Image:
    """One real picture over its value and its name."""
    value = f"real: {value_name(e, example)}{figure(example.value)}"
    name = Path(str(example.name)).stem if isinstance(example.name, str) else f"picture {example.name}"
    words = [line(value, 15, wide, INK), line("  ·  ".join(filter(None, (name, part_size(example)))), 13, wide, FAINT)]
    return stack([masked(example, wide), stack(words, 2)], 6)


def part_size(example: Example) -> str:
    """How large the part is that is shown, where it is not the whole picture: it is enlarged."""
    if example.image.dim() != 3 or example.crop.shape == example.image.shape:
        return ""
    height, width = example.crop.shape[1:]
    return f"{width} x {height} px"


def value_name(e: Examples, example: Example) -> str:
    """What the value of an example is, where that is not the target itself."""
    if e.by != "activation":
        return "relevance "
    return "" if example.position is None else {"max": "peak ", "mean": ""}[e.pool]


def no_example(count: int, wide: int) -> Image.Image:
    return paragraph(f"All {count:,} real pictures are alike to it.", 13, wide, AMBER)


def masked(example: Example, wide: int) -> Image.Image:
    """The crop of an example, its colours faint where the unit's relevance is small; without a mask, as it is."""
    bounded = example.source.frame.bounded
    if example.image.dim() != 3:
        return drawn(example.crop, bounded)
    pixels, heat = painted(example.crop, bounded), torch.zeros(1)
    if example.mask is not None:
        heat = smooth(example.mask.clamp(min=0))[tuple(slice(*ends) for ends in example.box)]
    if float(heat.max()) > 0:
        weight = LEFT + (1 - LEFT) * (heat / (FULL * heat.max())).clamp(max=1).numpy()[..., None]
        pixels = (pixels * weight + np.array(PAPER) * (1 - weight)).round().astype(np.uint8)
    return outlined(fitted(pixels, wide))


def outlined(image: Image.Image) -> Image.Image:
    """A thin line around a picture, which may be as white as paper."""
    ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=HAIR)
    return image


def smooth(heat: Tensor) -> Tensor:
    """Relevance averaged over small squares."""
    size = max(heat.shape) // BLUR // 2 * 2 + 1
    return functional.avg_pool2d(heat[None, None], size, 1, size // 2, count_include_pad=False)[0, 0]


def png(e: Examples) -> bytes:
    """The sheet as the bytes of a PNG file, with names and values in text chunks."""
    text = "\n".join(repr(example) for row in e.rows for example in row)
    return encoded(example_sheet(e), text, e.document())
