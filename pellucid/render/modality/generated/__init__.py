"""A generated text: every new token by all tokens before it, as a matrix and as a text to walk through."""

from __future__ import annotations

from ...parts.painter import Painter, Whole
from ..tokens.html import html as text_html
from ..tokens.image import image as text_image
from ..tokens.lines import lines as text_lines
from ..tokens.svg import svg as text_svg
from .figure import image, svg
from .layout import before, prompts as prompts, unseen as unseen
from .lines import lines

WHOLE = Whole(lines, image, svg)

#: One row alone: the text before its token, as any text is shown.
PAINTER = Painter(
    lines=lambda e, drawn, width, colour: text_lines(before(e), drawn, width, colour),
    image=lambda e, drawn, wide: text_image(before(e), drawn, wide),
    html=lambda e, drawn: text_html(before(e), drawn),
    svg=lambda e, drawn, wide: text_svg(before(e), drawn, wide),
)
