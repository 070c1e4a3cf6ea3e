"""An explanation as one HTML file that needs nothing else: pictures inside, no script, no request."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from html import escape

from PIL import Image
from torch import Tensor

from pellucid.errors.printable import printable
from pellucid.explanation.explanation import Explanation
from .image import MOST_SAMPLES, batch, encoded, numbered, panels
from .lettering.markup import in_html
from .modality.painters import SCALES, WHOLE, inputs, painter, prompts, unseen
from .parts.ledger_table import ledger_rows
from .parts.map import Map, prepare
from .parts.scale import Scale
from .parts.view import PLAIN, Regions, Shown

# The policy makes the promise binding: a browser refuses whatever is not in the file.
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ margin: 0 auto; max-width: 1020px; padding: 2rem 1.25rem 4rem; background: #fff; color: #1c1e22;
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }}
h1 {{ font-size: 1.6rem; font-weight: 600; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.05rem; font-weight: 600; margin: 2rem 0 .5rem; }}
.method {{ color: #70757d; margin: .2rem 0 1.2rem; }}
.warning {{ color: #965400; }}
.note, summary {{ color: #70757d; }}
img {{ display: block; max-width: 100%; height: auto; margin: 0 0 1.2rem; }}
section + section {{ border-top: 1px solid #dee1e5; margin-top: 2.5rem; padding-top: 2.5rem; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
td {{ vertical-align: top; padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid #eceef1; }}
td:last-child {{ overflow-wrap: anywhere; }}
.books td:last-child {{ text-align: right; padding-right: 0; }}
p {{ margin: .4rem 0; }}
</style>
</head>
<body>
"""


def page(e: Explanation, *, view: str | Sequence[str] = "map", top: float = 0.1, by: str | Tensor = "connected") -> str:
    """The whole page: a section per sample, then what it takes to repeat it."""
    texts = prompts(e)
    if texts:
        sections = [WHOLE.html(one, number) for number, one in enumerate(texts[:MOST_SAMPLES])]
        more = unseen(e, MOST_SAMPLES)
        sections += [f'<p class="warning">{more}</p>'] if more else []
        return document(f"{e.method} -> generated text", [*sections, provenance(e)], WHOLE.style)
    shown, (samples, scale, left) = Shown(view, top, by), batch(e)
    parts = [section(e[sample], numbered(e, sample), scale, shown) for sample in samples]
    parts += [f'<p class="warning">{left}</p>'] if left else []
    return document(f"{e.method} -> {e.target}", [*parts, provenance(e)])


def document(title: str, parts: Sequence[str], style: str = "") -> str:
    """The file, with `style` added to its own."""
    return "\n".join([HEAD.format(title=escape(title)) + style, *parts, "</body>", "</html>", ""])


def section(e: Explanation, which: str, scale: Scale, shown: Shown) -> str:
    """One sample: headline, picture, caption, ledger, regions where they are shown.

    Arguments:
        which: Which sample of a batch it is, in words.
    """
    drawn = prepare(e, scale=scale)
    about = ", ".join(filter(None, (e.method + (f" at {e.at}" if e.at else ""), which)))
    lines = [
        "<section>",
        f"<h1>{in_html(e.equation())}</h1>",
        f'<p class="method">{escape(about)}</p>',
        body(e, drawn, shown),
        f"<p>{in_html(e.sentence())}</p>",
        *(f'<p class="warning">{escape(warning)}</p>' for warning in e.warnings()),
        *(f'<p class="note">{escape(note)}</p>' for note in e.notes),
    ]
    if e.ledger is not None:
        lines += ["<h2>Where the score went</h2>", table(ledger_rows(e.ledger, e.sinks()), "books")]
    regions = shown.find(e)
    if regions:
        lines += ["<h2>Where the evidence lies</h2>", table(region_rows(regions), "books")]
    return "\n".join([*lines, "</section>"])


def body(e: Explanation, drawn: Map, shown: Shown = PLAIN, alt: str = "") -> str:
    """What its modality's painter makes of one sample, each of several inputs by itself, or its panels as an image."""
    if e.parts:
        parts = [f"<h2>{escape(name)}</h2>\n{body(one, prepare(one), alt=name)}" for name, one in inputs(e)]
        return "\n".join([f'<p class="note">{SCALES}</p>', *parts])
    html = painter(e).html
    if html is not None:
        return html(e, drawn)
    return f'<img alt="{escape(alt or e.caption())}" src="{inline(panels(e, drawn, shown))}">'


def region_rows(regions: Regions) -> list[tuple[str, str, str]]:
    """A line (kind, place, share) per region."""
    lines = []
    for one in regions:
        top, left, bottom, right = one.box
        pieces = f", {one.parts} small pieces" if one.parts > 1 else ""
        place = f"rows {top}-{bottom - 1}, columns {left}-{right - 1}{pieces}"
        lines.append(("against" if one.against else "for", place, f"{100 * one.share:.1f} %"))
    return lines


def inline(image: Image.Image) -> str:
    """A picture as an address that holds all of it."""
    return f"data:image/png;base64,{b64encode(encoded(image)).decode()}"


def provenance(e: Explanation) -> str:
    """What it takes to repeat this, as a table."""
    if not e.provenance:
        return ""
    rows = [(name, value if isinstance(value, str) else json.dumps(value, default=str)) for name, value in e.provenance.items()]
    return f"<h2>How to repeat this</h2>\n{table(rows, 'provenance')}"


def table(rows: list[tuple[str, str, str]] | list[tuple[str, str]], kind: str) -> str:
    """Rows of plain words as an HTML table."""
    body = "\n".join("<tr>" + "".join(f"<td>{escape(printable(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{kind}">\n{body}\n</table>'
