"""A chart of many explanations: what is drawn, with the words and the table that say the same."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.one_line import cut
from pellucid.errors.printable import in_csv, make_printable
from .running import Interval

Cell = str | float | int | None


@dataclass(frozen=True, eq=False)
class Chart(Displayed):
    """One view of many explanations.

    Arguments:
        view: "beeswarm", "bars", "dependence", "over_time", "words", "mean_maps" or "confusion".
        title: What it shows, in a few words.
        caption: How it is read, and what has to be known about it.
        head, rows: The same as a table.
        data: What its painter draws.
        warnings: What makes it less than it seems.
        provenance: What it takes to repeat it.
    """

    kind: ClassVar[str] = "chart"

    view: str
    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    data: Any
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        make_printable(self, "title", "caption", "head", "warnings")

    def __repr__(self) -> str:
        return cut(f"Chart({self.view}: {self.title}, {len(self.rows)} rows)")

    def words(self) -> str:
        """Title, caption and warnings, for those who do not see it."""
        return " ".join((f"{self.title}.", self.caption, *self.warnings))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write by suffix (.png, .svg, .json, .csv, .txt, .jpg, .pdf), whole or not at all.

        Raises:
            OutputError: the suffix is unknown, or the place cannot be written.
        """
        return save(self, path, "chart")


@dataclass(frozen=True)
class Bar:
    """A bar with its interval; `note` stands beside its name."""

    name: str
    interval: Interval
    note: str = ""


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars on one axis; signed ones go to both sides."""

    bars: tuple[Bar, ...]
    signed: bool
    axis: str


def to_dict(chart: Chart) -> dict[str, Any]:
    """The chart as plain data: its words and its table."""
    rows = [dict(zip(chart.head, row, strict=True)) for row in chart.rows]
    about = {"view": chart.view, "title": chart.title, "caption": chart.caption, "warnings": list(chart.warnings)}
    return about | {"rows": rows, "provenance": chart.provenance}


def to_csv(chart: Chart) -> str:
    """Its table."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(chart.head)
    writer.writerows([in_csv("" if cell is None else cell) for cell in row] for row in chart.rows)
    return file.getvalue()


def charts_to_dict(charts: Sequence[Chart]) -> dict[str, Any]:
    """Several charts as plain data."""
    return {"charts": [to_dict(chart) for chart in charts]}
