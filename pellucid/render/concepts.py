"""A sheet of concepts: for each channel where it looked on this picture, real pictures it is used for, and what excites it."""

from __future__ import annotations

from PIL import Image, ImageDraw

from pellucid.core.numbers import figure
from pellucid.explanation.explanation import Explanation
from pellucid.verbs.concepts import Concept, Concepts
from .examples import example_cell, legend, no_example, outlined
from .image import classes, encoded, framed, model_words
from .maximized import portrait
from .parts.grid import per_row
from .parts.map import prepare
from .parts.palette import AMBER, FAINT, HAIR, INK, PAPER, RED_BLUE
from .parts.panel import photograph
from .parts.pixels import GAP, SIDE, scaled
from .parts.text import boxes_said, line, paragraph, side_by_side, stack
from .parts.view import draw_map

ACROSS = 6  # pictures in one row: of several channels, where each has few


def concept_sheet(c: Concepts) -> Image.Image:
    """The photograph and the whole map above; below it the channels, each with its pictures in a row."""
    rows = [cells(c, place) for place in range(len(c))]
    longest = max(map(len, rows))
    beside = per_row(len(rows), max(1, ACROSS // longest))  # channels in one row
    own = longest * (SIDE + GAP) - GAP
    wide = max(beside * (own + GAP) - GAP, 3 * SIDE + 2 * GAP)
    largest = max(abs(one.relevance) for one in c.shown) or 1.0
    each = [stack([bar(one, largest, own), side_by_side(row, SIDE, GAP)], 6) for one, row in zip(c.shown, rows, strict=True)]
    body = [side_by_side(each[n : n + beside], own, GAP) for n in range(0, len(each), beside)]
    notes = [paragraph(note, 14, wide, FAINT) for note in captions(c)]
    notes += [paragraph(note, 14, wide, AMBER) for note in (*c.notes, *(c.examples.notes if c.examples else ()))]
    notes += boxes_said((c.whole.caption(), *(label for _, label, _ in c.whole.classes), *captions(c)), wide)
    return framed(stack([title(c, wide), overview(c, wide), *body, stack(notes, 4)], 20))


def title(c: Concepts, wide: int) -> Image.Image:
    """The decision in large letters, and what it was read from."""
    about = "  ·  ".join(filter(None, [f"channels of {c.at}", f"method {c.whole.method}", model_words(c.whole.provenance)]))
    return stack([line(c.whole.equation(), 26, wide, INK), line(about, 16, wide, FAINT)], 2)


def overview(c: Concepts, wide: int) -> Image.Image:
    """What the model saw, the whole map, and how its relevance lies among the channels."""
    picture, cells = c.whole.photograph(), [map_cell(c.whole, "all of it")]
    if picture is not None:
        saw = paragraph("what the model saw", 13, SIDE, FAINT)
        cells.insert(0, stack([photograph(picture, scaled(*picture.shape[:2])), saw], 6))
    room = wide - len(cells) * (SIDE + GAP)
    words = [paragraph(c.passage(), 16, room, INK), *(paragraph(w, 15, room, AMBER) for w in c.whole.warnings())]
    words += classes(c.whole, prepare(c.whole), room)
    image = Image.new("RGB", (wide, max(part.height for part in cells)), PAPER)
    image.paste(side_by_side(cells, SIDE, GAP), (0, 0))
    image.paste(stack(words, 8), (wide - room, 0))
    return image


def cells(c: Concepts, place: int) -> list[Image.Image]:
    """The map of a channel, the real pictures it is used for most, and what excites it."""
    row = [map_cell(c.maps[place], "through it", marked=frame_box(c, place))]
    if c.examples is not None:
        row += [example_cell(c.examples, example, SIDE) for example in c.examples[place]] or [no_example(c.examples.seen, SIDE)]
    if c.drawn is not None:
        image, size = portrait(c.drawn, place)
        said = [f"drawn to excite it: {figure(float(c.drawn.scores[place]))}", *filter(None, [size])]
        row += [stack([image, *(paragraph(words, 13, SIDE, FAINT) for words in said)], 6)]
    return row


def frame_box(c: Concepts, place: int) -> tuple[float, float, float, float] | None:
    """Around the region of a channel's map that says most, as shares of the picture: left, top, right, bottom."""
    one = c.maps[place]
    if one.values.ndim != 4 or one.nothing():
        return None
    against = c.shown[place].relevance < 0
    found = [region for region in one.regions() if region.against == against and region.parts == 1]
    if not found:
        return None
    (top, left, bottom, right), (height, width) = found[0].box, found[0].mask.shape
    return left / width, top / height, right / width, bottom / height


def map_cell(e: Explanation, words: str, marked: tuple[float, float, float, float] | None = None) -> Image.Image:
    """One map over its picture, over what it is."""
    ready = prepare(e)
    size = scaled(*(ready.heat.shape if ready.picture is None else ready.picture.shape[:2]))
    image = outlined(draw_map(ready, (), size))
    if marked is not None and not ready.empty:
        left, top, right, bottom = (round(share * size[n % 2 == 0]) for n, share in enumerate(marked))
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=INK)
    scale = f"{words}; full colour at {figure(ready.scale.limit)}" if not ready.empty else words
    return stack([image, line(scale, 13, SIDE, FAINT)], 6)


def bar(one: Concept, largest: float, wide: int) -> Image.Image:
    """Number, share, and a bar in the colour of its sign."""
    words = f"channel {one.channel}: {one.relevance:+.3g}, {100 * one.share:+.1f} %"
    image = Image.new("RGB", (wide, 6), HAIR)
    length = round(abs(one.relevance) / largest * wide)
    if length:
        ImageDraw.Draw(image).rectangle((0, 0, length - 1, 5), fill=RED_BLUE.colour(one.relevance, signed=True))
    return stack([line(words, 15, wide, INK), image], 2)


def captions(c: Concepts) -> list[str]:
    """What is shown, in words."""
    lines = [
        "Above each map: how much of the score passes through the channel, and its share of the score.",
        "Maps show what passes through one channel, each on a scale of its own: red for the decision, blue against it.",
    ]
    if any(frame_box(c, place) is not None for place in range(len(c))):
        lines.append("The frame is around the region of its map that says most.")
    if c.examples is not None:
        lines.append(legend(c.examples))
    if c.drawn is not None:
        lines.append(f"Drawn is what excites the channel most, by recipe {c.drawn.recipe}.")
    return lines


def png(c: Concepts) -> bytes:
    """The sheet as the bytes of a PNG file, with its words in text chunks."""
    return encoded(concept_sheet(c), c.text(), c.whole.provenance | {"at": c.at})
