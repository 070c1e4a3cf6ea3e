"""Several inputs below one another: what each gives, then each as it is shown when it is alone."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from .modality.painters import Painter, painter
from .parts.map import Map, prepare
from .parts.palette import FAINT, INK
from .parts.text import paragraph, stack

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation

GAP = 16
SCALES = "Every input is painted on a scale of its own; the caption says how much each gives."


def each(e: Explanation) -> list[tuple[str, Explanation]]:
    """Every input with its own explanation. The classes are those of all, and are shown once."""
    from dataclasses import replace

    return [(name, replace(e.part(name), classes=())) for name in e.parts]


def image(e: Explanation, sample: int, drawn: Map, wide: int) -> Image.Image:
    """The panels of every input under its name, exactly so wide."""
    from .image import panels

    parts = [paragraph(SCALES, 15, wide, FAINT)]
    for name, one in each(e):
        seen = panels(one, sample, prepare(one, sample))
        seen = seen if seen.width <= wide else seen.resize((wide, round(seen.height * wide / seen.width)))
        parts += [paragraph(title(name, one), 19, wide, INK), seen]
    sheet = stack(parts, GAP)
    page = Image.new("RGB", (wide, sheet.height), (255, 255, 255))
    page.paste(sheet, (0, 0))
    return page


def html(e: Explanation, sample: int, drawn: Map) -> str:
    """Every input as pages show it alone."""
    from .image import panels
    from .page import inline

    parts = [f'<p class="note">{SCALES}</p>']
    for name, one in each(e):
        made, seen = painter(one).html, prepare(one, sample)
        body = inline(panels(one, sample, seen)) if made is None else made(one, sample, seen)
        shown = f'<img alt="{escape(name)}" src="{body}">' if made is None else body
        parts += [f"<h2>{escape(title(name, one))}</h2>", shown]
    return "\n".join(parts)


def lines(e: Explanation, sample: int, drawn: Map, width: int, colour: bool) -> list[str]:
    """Every input as terminals show it alone, without its caption."""
    from .terminal import shown

    made: list[str] = []
    for name, one in each(e):
        made += [f"{title(name, one)}:", *shown(one, sample, prepare(one, sample), width, colour=colour), ""]
    return made


def title(name: str, one: Explanation) -> str:
    """Name and shape."""
    return f"{name} ({' x '.join(map(str, one.values.shape[1:]))})"


PAINTER = Painter(lines=lines, image=image, html=html)
