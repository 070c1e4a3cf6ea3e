"""An audit as one HTML file, and as a cell of a notebook."""

from __future__ import annotations

from html import escape

from pellucid.core.displayed import Cell
from pellucid.render.cell import parts
from pellucid.render.report import html
from .audit import Audit


def page(a: Audit, *, script: bool = True) -> str:
    """The report: the clusters, and the pictures and members of the first ones."""
    return html(a.document(), script=script)


def cell(a: Audit) -> Cell:
    """The table of clusters, and the sheets of the first three."""
    made = a.document()
    section = made["sections"][0]
    sheets = [
        f'<figure><img alt="{escape(one["alt"])}" src="{one["src"]}"><figcaption>{escape(one["alt"])}</figcaption></figure>'
        for one in made["figures"][:3]
        if one["src"]
    ]
    table = parts.folded(section["title"], tuple(section["head"]), [tuple(row) for row in section["rows"]])
    return Cell("".join([parts.title(made["title"], ""), parts.paragraph(made["sentence"]), table, *sheets]))
