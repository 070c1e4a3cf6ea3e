"""Regions painted: outlined on the photograph, or alone on what is left of it in grey."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from pellucid.explanation.regions import Region
from .bars import bars
from .legend import swatch
from .map import Map
from .palette import FAINT, PAPER, Colour
from .panel import Size, card, enlarging, ground, overlay, photograph
from .text import font, paragraph, stack, width

LINE, HALO = 3, 1  # pixels
FINE = 2  # lines are drawn so many times finer, and then averaged: their edges are smooth
DIM, LIFT = 0.3, 18.0  # what is left of the brightness outside of regions
LABELLED = 0.02  # share of its kind from which on a region wears its number
GRAIN = 4  # pixels: how finely a place for a number is looked for
Mask = NDArray[np.bool_]
Plate = tuple[int, int, int, int]


def outlines(drawn: Map, regions: tuple[Region, ...], size: Size) -> Image.Image:
    """The photograph with every region outlined, in the colour of evidence for or against."""
    return placeholder(drawn, regions, size) or outlined(background(drawn, size), drawn, regions)


def isolated(drawn: Map, regions: tuple[Region, ...], size: Size) -> Image.Image:
    """The regions as the model saw them, everything else grey and dark; on paper everything else is pale."""
    image = placeholder(drawn, regions, size)
    if image is not None or not regions:
        return image or background(drawn, size)
    image = background(drawn, size)
    colours = np.asarray(image, dtype=float)
    inside = np.any([resized_mask(one.mask.numpy(), size) for one in regions], axis=0)[..., None]
    grey = np.asarray(image.convert("L"), dtype=float)[..., None]
    outside = LIFT + DIM * grey if drawn.picture is not None else 0.25 * colours + 0.75 * 255
    return outlined(Image.fromarray(np.where(inside, colours, outside).round().astype(np.uint8)), drawn, regions)


def placeholder(drawn: Map, regions: tuple[Region, ...] | None, size: Size) -> Image.Image | None:
    """What is drawn where there is no map: a card that says why, or bars of features in a row; those outside regions are grey."""
    if drawn.empty:
        return card(drawn.card, ground(drawn.picture, size), hatched=drawn.card == "under-sampled")
    if drawn.flat:
        nowhere = np.zeros(drawn.heat.size, dtype=bool)
        return bars(
            drawn, size[1], None if regions is None else np.any([nowhere, *(one.mask[0].numpy() for one in regions)], axis=0)
        )
    return None


def background(drawn: Map, size: Size) -> Image.Image:
    """What regions lie on: the photograph, or the map itself where there is none."""
    return overlay(drawn, size) if drawn.picture is None else photograph(drawn.picture, size)


def outlined(image: Image.Image, drawn: Map, regions: tuple[Region, ...]) -> Image.Image:
    """The image with a line along the edge of every region, a thin white one around it, and the share of the larger ones."""
    image = image.copy()
    inks = [drawn.colour(-1.0 if one.against else 1.0) for one in regions]
    for one, ink in reversed(list(zip(regions, inks, strict=True))):  # the strongest last, so that nothing covers it
        line, halo = rim(resized_mask(one.mask.numpy(), (FINE * image.height, FINE * image.width)))
        image.paste(PAPER, mask=halo)
        image.paste(ink, mask=line)
    plates: list[Plate] = []
    for one, ink in zip(regions, inks, strict=True):
        if one.share >= LABELLED and one.parts == 1:
            plates += tag(image, one, ink, plates)
    return image


def rim(mask: Mask) -> tuple[Image.Image, Image.Image]:
    """How much of every pixel the line inside the edge covers, and how much the halo outside; `mask` is `FINE` times finer."""
    whole = Image.fromarray(mask).convert("L")
    left, top, right, bottom = whole.getbbox() or (0, 0, 1, 1)
    margin = FINE * (HALO + 1)
    box = [FINE * ((edge + sign * margin) // FINE) for edge, sign in zip((left, top, right, bottom), (-1, -1, 1, 1), strict=True)]
    part = whole.crop((box[0], box[1], box[2], box[3]))  # beyond the picture there is nothing
    inner, outer = repeated(part, ImageFilter.MinFilter(3), FINE * LINE), repeated(part, ImageFilter.MaxFilter(3), FINE * HALO)
    covers = []
    for ring in (ImageChops.subtract(part, inner), ImageChops.subtract(outer, part)):
        page = Image.new("L", (whole.width // FINE, whole.height // FINE))
        page.paste(ring.reduce(FINE), (box[0] // FINE, box[1] // FINE))
        covers.append(page)
    return covers[0], covers[1]


def repeated(image: Image.Image, how: ImageFilter.RankFilter, times: int) -> Image.Image:
    """The image filtered again and again, which is one filter as large as all of them."""
    for _ in range(times):
        image = image.filter(how)
    return image


def tag(image: Image.Image, one: Region, ink: Colour, taken: list[Plate]) -> list[Plate]:
    """The share of a region on a small plate that stands on it; the plate, or none where others have taken all places."""
    words = f"{100 * one.share:.0f} %"
    wide, tall = round(width(words, 14)) + 10, 20
    for x, y in spots(one.mask.numpy(), (image.height, image.width), (wide, tall)):
        plate = x, y, x + wide, y + tall
        if not any(overlap(plate, other) for other in taken):
            draw = ImageDraw.Draw(image)
            draw.rounded_rectangle(plate, 4, fill=ink, outline=PAPER)
            draw.text((x + wide / 2, y + tall / 2 + 1), words, PAPER, font(14), anchor="mm")
            return [plate]
    return []


def spots(mask: Mask, size: Size, plate: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Left upper corners of a plate (width, height) whose middle lies in the region, the best first.

    The best is high up, as deep inside as the plate needs; of places alike in that, the one nearest to the region's middle.
    """
    wide, tall = plate
    cells = resized_mask(mask, (max(1, size[0] // GRAIN), max(1, size[1] // GRAIN)))
    deep = depth(cells if cells.any() else resized_mask(mask, mask.shape[:2]))
    rows, columns = np.nonzero(deep >= min(int(deep.max()), tall // 2 // GRAIN + 1))
    order = np.lexsort((np.abs(columns - np.nonzero(deep)[1].mean()), rows))
    for row, column in zip(rows[order], columns[order], strict=True):
        left = round((column + 0.5) * size[1] / deep.shape[1] - wide / 2)
        top = round((row + 0.5) * size[0] / deep.shape[0] - tall / 2)
        yield min(max(left, 0), max(0, size[1] - wide)), min(max(top, 0), max(0, size[0] - tall))


def depth(mask: Mask) -> NDArray[np.int64]:
    """How many rims of one place can be taken off before a place is at the rim: 1 at the rim itself, 0 outside.

    Example:
        >>> depth(np.ones((3, 5), dtype=bool)).tolist()
        [[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]]
    """
    left, deep = np.pad(mask, 1), np.zeros(mask.shape, dtype=np.int64)
    while left.any():
        deep += left[1:-1, 1:-1]
        left = np.pad(np.asarray(Image.fromarray(left).convert("L").filter(ImageFilter.MinFilter(3)))[1:-1, 1:-1] > 0, 1)
    return deep


def overlap(one: Plate, other: Plate) -> bool:
    """Whether two plates (left, top, right, bottom) cover one another."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def resized_mask(mask: Mask, size: Size) -> Mask:
    """A mask at the size of a panel."""
    image = Image.fromarray((255 * mask).astype(np.uint8))
    how = Image.Resampling.BOX if mask.shape[0] > size[0] else enlarging((mask.shape[0], mask.shape[1]))
    fine: Mask = np.asarray(image.resize(size[::-1], how)) > 127
    return fine


def key(drawn: Map, regions: tuple[Region, ...], wide: int) -> Image.Image:
    """What is outlined, and which share of all evidence lies there."""
    if drawn.empty:
        return Image.new("RGB", (wide, 1), PAPER)
    lines = [swatch(ink, words, wide) for ink, words in legend_lines(drawn, regions)]
    area = sum(one.area for one in regions)
    note = f"They fill {100 * area:.2g} % of the map. Shares are of the sum over all of it." if regions else "Nothing stands out."
    return stack([*lines, paragraph(note, 14, wide, FAINT)], gap=4)


def legend_lines(drawn: Map, regions: tuple[Region, ...]) -> list[tuple[Colour, str]]:
    """Per kind of evidence its colour, and in words how many regions hold how much of it."""
    first, second = (f"for {side}" for side in drawn.sides) if drawn.sides else ("for", "against")
    kinds = ((1, first, second), (-1, second, first)) if drawn.signed else ((1, "", ""),)
    sides = [[one for one in regions if one.against == (sign < 0)] for sign, _, _ in kinds]
    found = zip(sides, kinds, strict=True)
    return [(drawn.colour(sign), share_text(drawn, side, sign, kind, among)) for side, (sign, kind, among) in found]


def share_text(drawn: Map, ours: list[Region], sign: int, kind: str, among: str) -> str:
    """How many regions hold how much of one kind of evidence, and of the other kind that lies among it."""
    evidence = f"evidence {kind}".strip()
    if not (sign * drawn.heat > 0).any():
        return f"no {evidence}"
    if not ours:
        return f"no region: the {evidence} is weak or scattered"
    share, other = (sum(getattr(one, name) for one in ours) for name in ("share_for", "share_against")[::sign])
    mixed = f", and {100 * other:.0f} % of that {among}" if among and other >= 0.005 else ""
    return f"{count_text(ours)} with {100 * share:.0f} % of all {evidence}{mixed}"


def count_text(regions: list[Region]) -> str:
    """How many regions, and how many small pieces.

    Example:
        >>> count_text([])
        'no region'
    """
    large, small = sum(one.parts == 1 for one in regions), sum(one.parts for one in regions if one.parts > 1)
    names = f"{large} region{'s' if large > 1 else ''}" if large else "", f"{small} small pieces" if small else ""
    return " and ".join(filter(None, names)) or "no region"
