"""Painters by subject: who shows an explanation that is about a text, a table, a curve. A new kind is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from PIL import Image

from ..parts.map import Map

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation

#: Kind of subject -> "module:painter".
PAINTERS: dict[str, str] = {
    "tokens": "pellucid.render.modality.tokens:PAINTER",
    "table": "pellucid.render.modality.table:PAINTER",
    "curves": "pellucid.render.modality.series:PAINTER",
    "sides": "pellucid.render.multi_input:PAINTER",
}


@dataclass(frozen=True)
class Painter:
    """How one kind of subject is shown; what is None is shown as any row or map is.

    Every function gets the explanation, the number of the sample, and its values made ready to paint. Where `drawn.empty` says
    why there is nothing to see, it shows the subject itself, without colours.

    Arguments:
        lines: Lines for a terminal, at most so many columns wide, in colour or in signs:
            `lines(e, sample, drawn, width, colour)`.
        image: The panel of a picture, exactly so many pixels wide, with its scale: `image(e, sample, drawn, wide)`.
        html: Part of a page, its scale included, in place of the picture: `html(e, sample, drawn)`.
        svg: Elements of an SVG so many pixels wide, and their height in pixels: `svg(e, sample, drawn, wide)`.
    """

    lines: Callable[[Explanation, int, Map, int, bool], list[str]] | None = None
    image: Callable[[Explanation, int, Map, int], Image.Image] | None = None
    html: Callable[[Explanation, int, Map], str] | None = None
    svg: Callable[[Explanation, int, Map, int], tuple[str, float]] | None = None


def painter(e: Explanation) -> Painter:
    """Who shows it; of explanations without a subject, a painter that leaves everything to the others."""
    address = PAINTERS.get(e.subject.kind) if e.subject is not None else None
    if address is None:
        return Painter()
    module, name = address.split(":")
    found: Painter = getattr(import_module(module), name)
    return found
