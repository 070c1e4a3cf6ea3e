"""The painter for every kind of input that is no picture: text, tables, series. A new one is its file, and one line here."""

from __future__ import annotations

from pellucid.explanation.explanation import Explanation
from ..parts.painter import Painter
from . import series, table, tokens

#: By the `kind` of `pellucid.model.modality`.
PAINTERS: dict[str, Painter] = {"tokens": tokens.PAINTER, "table": table.PAINTER, "curves": series.PAINTER}


def painter(e: Explanation) -> Painter:
    """The painter of an explanation; of pictures one that leaves everything to sheets, pages and terminals."""
    return PAINTERS.get(e.subject.kind, Painter()) if e.subject is not None else Painter()
