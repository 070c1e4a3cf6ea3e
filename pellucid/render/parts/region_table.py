"""Regions as a table: of which kind they are, where they lie, and which share of their kind they hold."""

from __future__ import annotations

from pellucid.core.numbers import percent
from .view import Regions


def region_rows(regions: Regions) -> list[tuple[str, str, str]]:
    """A line (kind, place, share) per region."""
    lines = []
    for one in regions:
        top, left, bottom, right = one.box
        pieces = f", {one.parts} small pieces" if one.parts > 1 else ""
        place = f"rows {top}-{bottom - 1}, columns {left}-{right - 1}{pieces}"
        lines.append(("against" if one.against else "for", place, percent(one.share)))
    return lines
