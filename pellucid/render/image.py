"""An explanation as a picture: photograph, map, scale, classes, and a caption that can stand alone."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from pellucid.catalogue.methods import claim
from pellucid.explanation.explanation import Explanation
from .grid import grid as small_panels
from .modality.painters import SCALES, WHOLE, inputs, painter, prompts, unseen
from .parts.legend import class_bars
from .parts.map import Map, prepare
from .parts.palette import AMBER, FAINT, HAIR, INK, PAPER, RED_BLUE, Palette
from .parts.panel import Size, panel_size, photograph
from .parts.scale import Scale
from .parts.text import boxes_said, line, paragraph, side_by_side, stack
from .parts.view import PLAIN, VIEWS, Regions, Shown, View

MARGIN, GAP, COLUMN = 32, 28, 400
WHOLE_WIDE = 924  # pixels of a generated text
MOST_SAMPLES = 16
Cell = tuple[Image.Image, Image.Image]  # a panel, and what stands below it
Words = Callable[[int], list[Image.Image]]  # the caption, so many pixels wide; none of panels without one


def picture(
    e: Explanation,
    sample: int = 0,
    *,
    view: str | Sequence[str] = "map",
    top: float = 0.1,
    by: str | Tensor = "connected",
    scale: str | float | Scale = "each",
    palette: Palette = RED_BLUE,
    smooth_px: float = 0.0,
) -> Image.Image:
    """One sample as a figure: photograph and map, scale, classes and caption.

    Arguments:
        view: What is painted, one or more of `VIEWS`: "map", "outlines" of regions, "regions" with all else in grey.
        top, by: Which regions, as in `Explanation.regions`.
        scale, palette, smooth_px: As in `prepare`.
    """
    one, drawn = e[sample], prepare(e, sample, scale=scale, palette=palette, smooth_px=smooth_px)
    body = panels(one, drawn, Shown(view, top, by), captioned=True)
    return framed(stack([title(one, body.width, numbered(e, sample)), body], gap=18))


def sheet(e: Explanation, shown: Shown = PLAIN, page: int = 1) -> Image.Image:
    """One sample as a figure; a batch as a grid of small panels on one scale, `PAGE` samples a page. Of generated texts the first
    `MOST_SAMPLES`.
    """
    texts = prompts(e)
    if texts:
        figures = [framed(stack([about_all(one), WHOLE.image(one, WHOLE_WIDE)], 10)) for one in texts[:MOST_SAMPLES]]
        more = unseen(e, MOST_SAMPLES)
        return stack([*figures, *([framed(paragraph(more, 16, WHOLE_WIDE, AMBER))] if more else [])], gap=0)
    if len(e) > 1:
        return small_panels(e, shown, page).image()
    return picture(e, **vars(shown))


def about_all(e: Explanation) -> Image.Image:
    """Method and model, of all rows of a generated text."""
    words = "  ·  ".join(filter(None, (f"method {e.method}", model_words(e.provenance), f"{len(e)} new tokens")))
    return line(words, 16, WHOLE_WIDE, FAINT)


def png(
    e: Explanation, *, view: str | Sequence[str] = "map", top: float = 0.1, by: str | Tensor = "connected", page: int = 1
) -> bytes:
    """The sheet as the bytes of a PNG file, with caption and provenance in text chunks.

    Arguments:
        page: Of a batch of more than `PAGE` samples, from 1 on.
    """
    text = "\n".join(one.caption() for one in e)
    return encoded(sheet(e, Shown(view, top, by), page), text, e.provenance)


def encoded(image: Image.Image, description: str = "", provenance: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a PNG file; with a provenance, it and the description stand in text chunks."""
    info, file = PngInfo(), io.BytesIO()
    if provenance is not None:
        info.add_itxt("Software", "pellucid")
        info.add_itxt("Description", description)
        info.add_itxt("provenance", json.dumps(dict(provenance), default=str))
    image.save(file, format="PNG", pnginfo=info)
    return file.getvalue()


def inline(image: Image.Image) -> str:
    """A picture as an address that holds all of it."""
    return f"data:image/png;base64,{b64encode(encoded(image)).decode()}"


def panels(e: Explanation, drawn: Map, shown: Shown = PLAIN, *, captioned: bool = False) -> Image.Image:
    """A figure without its title: views of the map over its photograph, on paper, or as rows of bars."""
    views, regions = shown.views(), shown.find(e)
    paint = every_input if e.parts else painter(e).image
    words: Words = partial(caption, e) if captioned else lambda wide: []
    if paint is not None:
        whole = 2 * (COLUMN + 48) + GAP
        return stack([paint(e, drawn, whole), *classes(e, drawn, COLUMN + 48), *words(whole)], gap=16)
    layout = over_photograph if drawn.picture is not None else in_a_row if drawn.flat and not drawn.empty else on_paper
    return layout(e, drawn, views, regions, words)


def every_input(e: Explanation, drawn: Map, wide: int) -> Image.Image:
    """The panels of each of several inputs under its name, exactly so wide."""
    parts = [paragraph(SCALES, 15, wide, FAINT)]
    for name, one in inputs(e):
        made = panels(one, prepare(one))
        made = made if made.width <= wide else made.resize((wide, round(made.height * wide / made.width)))
        parts += [paragraph(name, 19, wide, INK), made]
    return side_by_side([stack(parts, 16)], wide, 0)


def over_photograph(e: Explanation, drawn: Map, views: list[View], regions: Regions, words: Words) -> Image.Image:
    """The photograph over its classes, every view over its legend, words below."""
    assert drawn.picture is not None
    size = panel_size(*drawn.picture.shape[:2])
    wide = max(COLUMN, size[1])
    first = labelled("What the model saw", photograph(drawn.picture, size), wide), stack(classes(e, drawn, wide), GAP)
    body = grid([first, *cells(e, drawn, views, regions, size, wide)], wide)
    return stack([body, *words(body.width)], gap=16)


def on_paper(e: Explanation, drawn: Map, views: list[View], regions: Regions, words: Words) -> Image.Image:
    """A map on the left, scale, classes and words on the right; of several views each over its legend, the words below."""
    size = (COLUMN // 2, COLUMN) if drawn.flat or drawn.empty else panel_size(*drawn.heat.shape)
    wide = max(COLUMN, size[1])
    if len(views) > 1:
        body = grid(cells(e, drawn, views, regions, size, wide), wide)
        return stack([body, *classes(e, drawn, wide), *words(body.width)], gap=16)
    beside = [views[0].words(drawn, regions, wide), *classes(e, drawn, wide), *words(wide)]
    if len(beside) == 1 and not drawn.flat:  # one of several inputs: little stands beside it
        size = size[0] // 2, size[1] // 2
    return side_by_side([views[0].paint(drawn, regions, size), stack(beside, gap=16)], wide, GAP)


def in_a_row(e: Explanation, drawn: Map, views: list[View], regions: Regions, words: Words) -> Image.Image:
    """Bars over the whole width, classes and scale below, words below those."""
    wide = COLUMN + 48
    whole = 2 * wide + GAP
    first, *second = [*classes(e, drawn, wide), views[0].words(drawn, regions, wide)]
    below = side_by_side([first, stack(second, GAP)], wide, GAP)
    rest = [part for cell in cells(e, drawn, views[1:], regions, (0, whole), whole) for part in cell]
    return stack([views[0].paint(drawn, regions, (0, whole)), below, *rest, *words(whole)], gap=16)


def cells(e: Explanation, drawn: Map, views: list[View], regions: Regions, size: Size, wide: int) -> list[Cell]:
    """Every view under its name, and its legend."""
    names = [heading(view, drawn) for view in views]
    return [
        (labelled(name, view.paint(drawn, regions, size), wide), view.words(drawn, regions, wide))
        for name, view in zip(names, views, strict=True)
    ]


def heading(view: View, drawn: Map) -> str:
    """What stands above a view; of two scores that are compared, which colour speaks for which."""
    if view is VIEWS["map"] and drawn.sides:
        return f"What speaks for {drawn.sides[0]}, and what for {drawn.sides[1]}"
    return view.signed if drawn.signed else view.unsigned


def classes(e: Explanation, drawn: Map, wide: int) -> list[Image.Image]:
    """The top classes, which are known for the first sample, in the colours of what speaks for them."""
    colours = drawn.colour(1.0), drawn.colour(-1.0 if drawn.sides else 1.0)
    return [class_bars(e.classes, wide, colours, e.target, drawn.sides)] if e.classes else []


def grid(parts: list[Cell], wide: int) -> Image.Image:
    """Panels in rows of two (three are one row), each over its legend."""
    across = 3 if len(parts) == 3 else 2
    rows = [parts[start : start + across] for start in range(0, len(parts), across)]
    bands = [stack([side_by_side([cell[half] for cell in row], wide, GAP) for half in range(2)], gap=16) for row in rows]
    return stack(bands, gap=GAP)


def labelled(words: str, image: Image.Image, wide: int) -> Image.Image:
    """A panel under its name."""
    return stack([line(words, 15, wide, FAINT), image], gap=4)


def title(e: Explanation, wide: int, which: str = "") -> Image.Image:
    """Target and value in large letters; method, model and `which` sample below."""
    about = "  ·  ".join(filter(None, (f"method {e.method}", model_words(e.provenance), f"at {e.at}" if e.at else "", which)))
    return stack([paragraph(e.equation(), 26, wide, INK), line(about, 16, wide, FAINT)], gap=2)


def numbered(e: Explanation, sample: int) -> str:
    """Which sample of a batch it is, in words; nothing of a single one."""
    return f"sample {sample % len(e) + 1} of {len(e)}" if len(e) > 1 else ""


def model_name(provenance: Mapping[str, Any]) -> str:
    """What a provenance calls the model; nothing where it says nothing."""
    model = provenance.get("model", "")
    return str(model.get("name", "")) if isinstance(model, dict) else str(model)


def model_words(provenance: Mapping[str, Any]) -> str:
    """The name of the model, said to be that; nothing where it is not known."""
    name = model_name(provenance)
    return f"model {name}" if name else ""


def caption(e: Explanation, wide: int) -> list[Image.Image]:
    """A thin line, headline and ledger, then warnings in amber, then notes."""
    parts = [paragraph(e.sentence(), 17, wide, INK)]
    parts += [paragraph(warning, 17, wide, AMBER) for warning in e.warnings()]
    parts += [paragraph(note, 15, wide, FAINT) for note in notes(e)]
    parts += boxes_said((e.caption(), *(label for _, label, _ in e.classes)), wide)
    return [Image.new("RGB", (wide, 1), HAIR), stack(parts, gap=4)]


def notes(e: Explanation) -> list[str]:
    """What the values mean, and what else there is to know, without the quotes of code."""
    meaning = claim(e.method)
    return [note.replace("`", "") for note in ([f"{e.method}: {meaning}."] if meaning else []) + list(e.notes)]


def framed(image: Image.Image) -> Image.Image:
    """The figure with a margin."""
    return ImageOps.expand(image, MARGIN, PAPER)
