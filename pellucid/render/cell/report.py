"""A report in a notebook: its title, and the titles of its pages."""

from __future__ import annotations

from pellucid.core.displayed import Cell
from ..report.page import flat
from ..report.report import Report
from . import parts


def report(r: Report) -> Cell:
    """The headline, and a line for each page."""
    pages = "".join(parts.paragraph(f"{number}. {page['title']}") for number, page in enumerate(flat(r.document), 1))
    sentence = parts.paragraph(r.document["sentence"]) if r.document["sentence"] else ""
    return Cell(f"{parts.title(r.document['title'], repr(r))}{sentence}{pages}", caption=r.document["sentence"])
