"""An explanation as a picture: photograph, map, scale, classes, and a caption that can stand alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from pellucid.render.bars import bars
from pellucid.render.legend import class_bars, legend
from pellucid.render.map import Map, prepare
from pellucid.render.palette import AMBER, FAINT, HAIR, INK, PAPER, RED_BLUE, Palette
from pellucid.render.panel import Size, blank, ground, overlay, panel_size, photograph
from pellucid.render.scale import Scale
from pellucid.render.text import paragraph, shorten, stack

if TYPE_CHECKING:
    from pellucid.explanation import Explanation

MARGIN, GAP, COLUMN = 32, 28, 400
MOST_SAMPLES = 16


def picture(
    e: Explanation, sample: int = 0, *, scale: str | float | Scale = "each", palette: Palette = RED_BLUE, smooth_px: float = 0.0
) -> Image.Image:
    """One sample as a figure: photograph and map, scale, classes and caption; the options are those of `prepare`."""
    drawn = prepare(e, sample, scale=scale, palette=palette, smooth_px=smooth_px)
    body = panels(e, sample, drawn, captioned=True)
    return framed(stack([title(e, sample, body.width), body], gap=18))


def sheet(e: Explanation) -> Image.Image:
    """All samples under one another on one scale, the first `MOST_SAMPLES` of many."""
    if len(e) == 1:
        return picture(e)
    common = prepare(e, scale="shared").scale
    figures = [picture(e, sample, scale=common) for sample in range(min(len(e), MOST_SAMPLES))]
    if len(e) > MOST_SAMPLES:
        wide = figures[0].width - 2 * MARGIN
        figures.append(framed(paragraph(f"The first {MOST_SAMPLES} of {len(e)} samples are shown.", 16, wide, AMBER)))
    return stack(figures, gap=0)


def save_png(e: Explanation, path: Path) -> None:
    """The sheet as a PNG that carries its caption and provenance as text; `Explanation.save` writes it whole or not at all."""
    path.write_bytes(png(e))


def png(e: Explanation) -> bytes:
    """The sheet as the bytes of a PNG file, with caption and provenance in text chunks."""
    chunks = PngInfo()
    chunks.add_itxt("Software", "pellucid")
    chunks.add_itxt("Description", "\n".join(e.caption(sample) for sample in range(len(e))))
    chunks.add_itxt("provenance", json.dumps(e.provenance, default=str))
    return encoded(sheet(e), chunks)


def encoded(image: Image.Image, chunks: PngInfo | None = None) -> bytes:
    """The bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, format="PNG", pnginfo=chunks)
    return file.getvalue()


def panels(e: Explanation, sample: int, drawn: Map, *, captioned: bool = False) -> Image.Image:
    """A figure without its title: the map over its photograph, on paper, or as a row of bars."""
    if drawn.picture is not None:
        return over_photograph(e, sample, drawn, captioned=captioned)
    if drawn.flat and not drawn.empty:
        return in_a_row(e, sample, drawn, captioned=captioned)
    return on_paper(e, sample, drawn, captioned=captioned)


def over_photograph(e: Explanation, sample: int, drawn: Map, *, captioned: bool) -> Image.Image:
    """Photograph and classes on the left, map and scale on the right, words below."""
    assert drawn.picture is not None
    size = panel_size(*drawn.picture.shape[:2])
    wide = max(COLUMN, size[1])
    seen = labelled("What the model saw", photograph(drawn.picture, size), wide)
    painted = labelled("What speaks for it, and what against" if e.signed else "What matters for it", painting(drawn, size), wide)
    below = columns(stack(classes(e, sample, drawn, wide), GAP), legend(drawn, wide), wide)
    words = caption(e, sample, 2 * wide + GAP) if captioned else []
    return stack([columns(seen, painted, wide), below, *words], gap=16)


def on_paper(e: Explanation, sample: int, drawn: Map, *, captioned: bool) -> Image.Image:
    """Map on the left, scale, classes and words on the right."""
    size = (COLUMN // 2, COLUMN) if drawn.flat else panel_size(*drawn.heat.shape)
    wide = max(COLUMN, size[1])
    words = caption(e, sample, wide) if captioned else []
    return columns(
        ImageOps.expand(painting(drawn, size), border=1, fill=HAIR),
        stack([legend(drawn, wide), *classes(e, sample, drawn, wide), *words], gap=16),
        wide,
    )


def in_a_row(e: Explanation, sample: int, drawn: Map, *, captioned: bool) -> Image.Image:
    """Bars over the whole width, classes and scale below, words below those."""
    wide = COLUMN + 48
    first, *second = [*classes(e, sample, drawn, wide), legend(drawn, wide)]
    words = caption(e, sample, 2 * wide + GAP) if captioned else []
    return stack([bars(drawn, 2 * wide + GAP), columns(first, stack(second, GAP), wide), *words], gap=16)


def painting(drawn: Map, size: Size) -> Image.Image:
    """The map over its ground, or a card that says there is none."""
    return blank(ground(drawn.picture, size)) if drawn.empty else overlay(drawn, size)


def classes(e: Explanation, sample: int, drawn: Map, wide: int) -> list[Image.Image]:
    """The top classes, which are known for the first sample."""
    accent = drawn.palette.colour(1.0, signed=drawn.signed)
    return [class_bars(e.classes, wide, accent, (e.targets or (e.target,))[0])] if e.classes and sample == 0 else []


def columns(left: Image.Image, right: Image.Image, wide: int) -> Image.Image:
    """Two columns of `wide` pixels each."""
    image = Image.new("RGB", (2 * wide + GAP, max(left.height, right.height)), PAPER)
    image.paste(left, (0, 0))
    image.paste(right, (wide + GAP, 0))
    return image


def labelled(words: str, image: Image.Image, wide: int) -> Image.Image:
    """A panel under its name."""
    return stack([paragraph(shorten(words, 15, wide), 15, wide, FAINT), image], gap=4)


def title(e: Explanation, sample: int, wide: int) -> Image.Image:
    """Target and value in large letters; method and model below."""
    head, _, score = e.headline(sample).removeprefix(f"{e.method} -> ").rpartition(" = ")
    which = f"sample {sample + 1} of {len(e)}" if len(e) > 1 else ""
    told = [e.method, model_name(e), f"at {e.at}" if e.at else "", which]
    line = "  ·  ".join(part for part in told if part)
    return stack([paragraph(f"{head} = {score}", 26, wide, INK), paragraph(shorten(line, 16, wide), 16, wide, FAINT)], gap=2)


def model_name(e: Explanation) -> str:
    """What the provenance calls the model; nothing where it says nothing."""
    model = e.provenance.get("model", "")
    return str(model.get("name", "")) if isinstance(model, dict) else str(model)


def caption(e: Explanation, sample: int, wide: int) -> list[Image.Image]:
    """A thin line, headline and ledger, then warnings in amber, then notes."""
    parts = [paragraph(e.sentence(sample), 17, wide, INK)]
    parts += [paragraph(warning, 17, wide, AMBER) for warning in e.warnings(sample)]
    parts += [paragraph(note, 15, wide, FAINT) for note in e.notes]
    return [Image.new("RGB", (wide, 1), HAIR), stack(parts, gap=4)]


def framed(image: Image.Image) -> Image.Image:
    """The figure with a margin."""
    page = Image.new("RGB", (image.width + 2 * MARGIN, image.height + 2 * MARGIN), PAPER)
    page.paste(image, (MARGIN, MARGIN))
    return page
