"""A comparison as one HTML file that needs nothing else: a figure per method, in as many columns as the window has room for."""

from __future__ import annotations

from html import escape

from torch import Tensor

from pellucid.core.numbers import figure
from pellucid.explanation.comparison import Comparison
from .comparison import REGIONS, Column, column, input_column
from .image import MOST_SAMPLES
from .page import document, inline, table
from .parts.text import stack
from .parts.view import Shown

STYLE = """<style>
body { max-width: 1900px; }
.methods { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 2rem 1.75rem; }
figure { margin: 0; }
figure img { margin: 0 0 .6rem; }
h2 { margin-top: 0; overflow-wrap: anywhere; }
</style>
"""


def comparison_page(c: Comparison, *, top: float = 0.1, by: str | Tensor = "connected") -> str:
    """The whole page: a section per sample, the first `MOST_SAMPLES` of many."""
    shown = Shown(REGIONS, top, by)
    return document(repr(c), [section(c.take(sample), shown) for sample in range(min(len(c.any), MOST_SAMPLES))], f"\n{STYLE}")


def section(c: Comparison, shown: Shown) -> str:
    """One sample: the photograph, every method, and how far they agree."""
    e = c.any
    columns = [input_column(c, shown), *(column(c, name, shown) for name in c)]
    head = f"<section><h1>{escape(f'{e.target} = {figure(float(e.output))}')}</h1>"
    lines = [
        head,
        f'<p class="method">{len(c)} methods</p>',
        '<div class="methods">',
        *(panel(one) for one in columns if one.head),
    ]
    return "\n".join([*lines, "</div>", agreement(c, shown.top), "</section>"])


def panel(one: Column) -> str:
    """One method: its map, its scale, its regions, and what is to be known about it."""
    parts = [one.panel, one.scale, *([one.regions, one.key] if one.facts else [])]  # the photograph has a table there
    words = "".join(f'<p class="{kind}">{escape(text)}</p>' for text, kind in one.facts)
    shot = one.page or f'<img alt="{escape(one.head)}" src="{inline(stack(parts, gap=12))}">'
    return f"<figure><h2>{escape(one.head)}</h2>{shot}{words}</figure>"


def agreement(c: Comparison, top: float) -> str:
    """Rank correlations and overlaps, pair by pair, those that agree most first."""
    pairs = sorted(c.agreement(top=top), key=lambda pair: -(pair.correlation or -2.0))
    rows = [(f"{pair.first}, {pair.second}", number_text(pair.correlation), number_text(pair.overlap)) for pair in pairs]
    if not rows:
        return ""
    head = ("methods", "rank correlation of the values", "overlap of the regions for it")
    return f"<h2>How far the methods agree</h2>\n{table([head, *rows], 'books')}"


def number_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
