"""A contact sheet: what a maximization found, picture by picture, each over its target, its score and what the network says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pellucid.ledger import figure
from pellucid.render.image import chunks, encoded, framed
from pellucid.render.palette import AMBER, FAINT, INK, PAPER
from pellucid.render.panel import enlarging
from pellucid.render.text import paragraph, shorten, stack

if TYPE_CHECKING:
    from pellucid.synth.maximized import Maximized

GAP = 16
SIDE = 224  # pixels along the longer side of a picture, at least
CURVE = 96  # pixels a signal is high


def contact_sheet(p: Maximized, across: int | None = None) -> Image.Image:
    """All pictures in rows of `across`, their words below them; the seeds of one target share a row where they can."""
    wide = max(SIDE, *(drawn(image, bounded(p)).width for image in p.images[:1]))
    cells = [cell(p, index, wide) for index in range(len(p))]
    across = across or columns(len(p), len(set(p.seeds)))
    rows = [row(cells[start : start + across], wide) for start in range(0, len(cells), across)]
    body = stack(rows, GAP)
    notes = [paragraph(note, 14, max(body.width, 2 * SIDE), AMBER) for note in p.notes]
    return framed(stack([heading(p, body.width), body, *notes], GAP))


def heading(p: Maximized, wide: int) -> Image.Image:
    """Recipe and model."""
    model = p.provenance.get("model", {})
    name = model.get("name", "") if isinstance(model, dict) else ""
    words = "  ·  ".join(filter(None, [p.recipe, name, f"{len(p)} pictures" if len(p) > 1 else ""]))
    return paragraph(shorten(words, 17, wide), 17, wide, INK)


def cell(p: Maximized, index: int, wide: int) -> Image.Image:
    """One picture over its words."""
    lines = [paragraph(shorten(f"{p.targets[index]} = {figure(float(p.scores[index]))}", 15, wide), 15, wide, INK)]
    seed = f"seed {p.seeds[index]}" if len(set(p.seeds)) > 1 else ""
    said = [f"{label} {share:.0%}" for _, label, share in (p.classes[index][:1] if p.classes else ())]
    lines += [paragraph(shorten("  ·  ".join(filter(None, [*said, seed])), 13, wide), 13, wide, FAINT)] if said or seed else []
    lines += [] if bool(p.fired[index]) else [paragraph("never fired", 13, wide, AMBER)]
    return stack([drawn(p.images[index], bounded(p)), stack(lines, 2)], 6)


def row(cells: Sequence[Image.Image], wide: int) -> Image.Image:
    """Cells side by side."""
    image = Image.new("RGB", (len(cells) * (wide + GAP) - GAP, max(part.height for part in cells)), PAPER)
    for place, part in enumerate(cells):
        image.paste(part, (place * (wide + GAP), 0))
    return image


def columns(count: int, seeds: int) -> int:
    """How many pictures stand in a row.

    Example:
        >>> columns(1, 1), columns(5, 1), columns(12, 4), columns(64, 1)
        (1, 5, 4, 8)
    """
    if 1 < seeds <= 8:
        return seeds
    return count if count <= 6 else math.ceil(math.sqrt(count))


def bounded(p: Maximized) -> bool:
    """Whether pictures run from 0 to 1; else they are drawn from their lowest to their highest value."""
    return bool(p.images.min() >= 0 and p.images.max() <= 1)


def drawn(image: Tensor, bounded: bool) -> Image.Image:
    """A picture (channel, height, width), the middle slice of a volume, or a curve per channel of a signal or a row."""
    if image.dim() > 3:
        image = image[:, image.shape[1] // 2]
    if image.dim() < 3:
        return curves(image if image.dim() == 2 else image[None])
    pixels = painted(image, bounded)
    zoom = max(1, math.ceil(SIDE / max(pixels.shape[:2])))
    size = pixels.shape[1] * zoom, pixels.shape[0] * zoom
    return Image.fromarray(pixels).resize(size, enlarging(pixels.shape[:2]))


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


def save_png(p: Maximized, path: Path, *, across: int | None = None) -> None:
    """The sheet as a PNG that carries its captions and provenance as text; `Maximized.save` writes it whole or not at all."""
    told = "\n".join(p.caption(index) for index in range(len(p)))
    path.write_bytes(encoded(contact_sheet(p, across), chunks(told, dict(p.provenance))))
