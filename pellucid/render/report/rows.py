"""Rows of a still page: the columns of a table as steps to the score or as bars, and numbers of which only the place is known."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.numbers import with_sign
from ..modality.table.chart import drawing as table_drawing
from ..parts.map import Map
from ..parts.painter import PAGE
from ..parts.steps import Step
from .decode import Data
from .panel import Panel

MOST_COLUMNS = 12  # that are drawn; the others stand in the table below


def table_panel(subject: Data, values: Data, made: Map, alt: str) -> Panel:
    """A row of a table: steps to the score where values add up, else bars; and every column below."""
    steps = values["columns"]["steps"] if values["columns"] else []
    found = [Step(s["name"], s["value"], s["start"] or 0.0, s["stop"] or 0.0, s["kind"]) for s in shortened(steps)]
    lines = zip(subject["columns"], made.heat.ravel().tolist(), strict=True)
    ordered = sorted(lines, key=lambda line: -abs(line[1]))
    rows = [(one["name"], one["value"], with_sign(value, signed=made.signed)) for one, value in ordered]
    svg = table_drawing(found, made, PAGE).page() if found else ""
    return Panel("", alt, svg=svg, about=f"All {len(rows)} columns", rows=[("column", "value", "evidence"), *rows])


def shortened(steps: Sequence[Data]) -> list[Data]:
    """The strongest columns as steps of their own, the others as one."""
    columns = [n for n, one in enumerate(steps) if one["kind"] == "column"]
    if len(columns) <= MOST_COLUMNS + 1:
        return list(steps)
    left = [steps[n] for n in columns[MOST_COLUMNS:]]
    rest = next((one for one in steps if one["kind"] == "rest"), None)
    start, stop = left[0]["start"], (rest or left[-1])["stop"]
    if steps[0]["kind"] != "end":  # bars, which begin at zero
        strongest_left = max(left, key=lambda one: abs((one["stop"] or 0.0) - (one["start"] or 0.0)))
        start, stop = 0.0, strongest_left["stop"]
    made = {"name": f"{len(left)} other columns", "value": "", "start": start, "stop": stop, "kind": "rest"}
    kept = set(columns[MOST_COLUMNS:])
    result: list[Data] = []
    for n, one in enumerate(steps):
        if n == columns[MOST_COLUMNS]:
            result.append(made)
        if n not in kept and one is not rest:
            result.append(one)
    return result


def row_panel(values: Data, made: Map, alt: str) -> Panel:
    """Numbers in a row, of which nothing is known but their places: bars."""
    heat = made.heat.ravel()
    order = sorted(range(len(heat)), key=lambda place: -abs(heat[place]))[:MOST_COLUMNS]
    found = [Step(f"place {place}", "", 0.0, float(heat[place])) for place in order]
    rows = [("place", "evidence"), *((str(place), with_sign(float(heat[place]), signed=made.signed)) for place in order)]
    svg = table_drawing(found, made, PAGE)
    about = f"The {len(order)} places that say most, of {len(heat)}"
    return Panel("", alt, svg=svg.page(), scale=values["scale"]["sentence"], about=about, rows=rows)
