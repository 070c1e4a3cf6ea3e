"""An explanation as one SVG file: letters and shapes where its subject has a painter for them, else its picture inside."""

from __future__ import annotations

import json
from html import escape

from pellucid.explanation.explanation import Explanation
from .grid import grid
from .image import MOST_SAMPLES, inline, notes, panels
from .lettering.markup import in_svg
from .modality.painters import WHOLE, painter, prompts, unseen
from .modality.tokens.runs import visible
from .parts.map import prepare
from .parts.palette import AMBER, FAINT, INK, Colour, web
from .parts.scale import Scale
from .parts.text import wrap

WIDE, MARGIN = 864, 32
LETTERS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">
<title>{title}</title>
<desc>{description}</desc>
<rect width="100%" height="100%" fill="#fff"/>
<g transform="translate({margin} {margin})" font-family="{letters}" font-size="16">
"""


def svg(e: Explanation, *, page: int = 1) -> str:
    """One sample with its caption; a batch as a grid of small panels on one scale; generated texts under one another.

    Arguments:
        page: Of a batch of more than `grid.PAGE` samples, from 1 on.
    """
    if len(e) > 1 and not prompts(e):
        made = grid(e, page=page)
        return whole(e, [made.svg()], made.high, wide=made.wide, margin=0)
    figures = [WHOLE.svg(one, WIDE) for one in prompts(e)[:MOST_SAMPLES]] or [one_sample(e, "", prepare(e).scale)]
    parts, below = [], 0.0
    for figure, high in figures:
        parts.append(f'<g transform="translate(0 {below:.1f})">\n{figure}\n</g>')
        below += high + 40
    left = unseen(e, MOST_SAMPLES) if prompts(e) else ""
    if left:
        words, high = paragraph(left, 15, AMBER, below)
        parts.append(words)
        below += high
    return whole(e, parts, below + 2 * MARGIN)


def whole(e: Explanation, parts: list[str], high: float, wide: float = WIDE + 2 * MARGIN, margin: int = MARGIN) -> str:
    """The file around its elements."""
    description = escape(visible(json.dumps(e.provenance, default=str)))
    title = escape(visible(f"{e.method} -> {e.target}"))
    head = HEAD.format(wide=round(wide), high=round(high), title=title, description=description, margin=margin, letters=LETTERS)
    return "\n".join([head.rstrip(), *parts, "</g>", "</svg>", ""])


def one_sample(e: Explanation, which: str, scale: Scale) -> tuple[str, float]:
    """One sample under its headline, its caption below; and how high that is, in pixels."""
    drawn, draw = prepare(e, scale=scale), painter(e).svg
    about = ", ".join(filter(None, (e.method + (f" at {e.at}" if e.at else ""), which)))
    head, below = paragraph(e.equation(), 24, INK, 0)
    line, high = paragraph(about, 15, FAINT, below)
    below += high + 14
    if draw is not None:
        body, high = draw(e, drawn, WIDE)
    else:
        image = panels(e, drawn)
        high = image.height * min(1.0, WIDE / image.width)
        body = f'<image width="{min(WIDE, image.width)}" height="{high:.1f}" href="{inline(image)}"/>'
    parts = [head, line, f'<g transform="translate(0 {below:.1f})">\n{body}\n</g>']
    below += high + 18
    lines = [(e.sentence(), INK), *((words, AMBER) for words in e.warnings()), *((words, FAINT) for words in notes(e))]
    for words, colour in lines:
        part, high = paragraph(words, 15, colour, below)
        parts.append(part)
        below += high + 4
    return "\n".join(parts), below


def paragraph(words: str, size: int, colour: Colour, top: float) -> tuple[str, float]:
    """Words in lines that fit the drawing; and how high they are, in pixels."""
    lines, step = wrap(visible(words), size, 0.94 * WIDE), 1.4 * size
    spans = "".join(f'<tspan x="0" y="{top + size + row * step:.1f}">{in_svg(line)}</tspan>' for row, line in enumerate(lines))
    style = f'fill="{web(colour)}" font-family="system-ui, sans-serif" font-size="{size}"'
    return f"<text {style}>{spans}</text>", step * len(lines)
