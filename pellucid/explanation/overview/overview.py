"""Overview: what many explanations say together, collected as they come, so that their number does not matter."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.one_line import cut
from pellucid.errors import InputError
from pellucid.model.modality import Generated, MultiInput, Table, Tokens
from ..explanation import Explanation
from ..explanations import Explanations
from . import columns, maps, series, table, texts
from .about import About
from .chart import Chart
from .maps import Maps
from .series import Times
from .table import Rows
from .texts import Words

Collected = Rows | Times | Words | Maps
MOST = 14  # columns, words or classes in a chart


@dataclass(frozen=True, eq=False)
class Overview(Displayed):
    """What many explanations say together; its charts are methods, and `charts` are those that suit the data.

    Arguments:
        data: Of what they are: "rows", "series", "texts" or "pictures".
        collected: What the charts are made of.
        about: What holds for all of them.

    Example:
        >>> import torch
        >>> e = Explanation(torch.tensor([[2.0, -1.0], [1.0, 0.0]]), torch.ones(2), "logit 0", "gradient_x_input", True)
        >>> overview_of(e), overview_of(e).bars().rows[0][:3]
        (Overview(gradient_x_input of 2 rows), ('feature 0', 1.5, -4.85...))
    """

    kind: ClassVar[str] = "overview"

    data: str
    collected: Collected
    about: About

    def __repr__(self) -> str:
        return cut(f"Overview({self.about.method} of {self.collected.n} {self.data})")

    def beeswarm(self, most: int = MOST) -> Chart:
        """Of a table: every row as a dot on the line of every column, at its value, in the colour of what stands in the column.

        Arguments:
            most: How many columns have a line, those with the largest mean |value|; the rest share one.
        """
        return columns.beeswarm(self._rows("a beeswarm"), self.about, most)

    def bars(self, most: int = MOST) -> Chart:
        """Of a table: the mean |value| of every column, with a 95 % interval."""
        return columns.bars(self._rows("bars of columns"), self.about, most)

    def dependence(self, column: str) -> Chart:
        """Of a table: the value of one column against what stands in it."""
        return columns.dependence(self._rows("a dependence plot"), self.about, column)

    def over_time(self) -> Chart:
        """Of series: the mean |value| at every time, with a 95 % interval."""
        if not isinstance(self.collected, Times):
            raise self._refusal("a chart over time", "series")
        return series.over_time(self.collected, self.about)

    def words(self, most: int = 2 * MOST, least: int = 2) -> Chart:
        """Of texts: the mean value of the words that say most, with count, share and 95 % interval.

        Arguments:
            least: In how many texts a word has to stand.
        """
        if not isinstance(self.collected, Words):
            raise self._refusal("a chart of words", "texts")
        return texts.words_chart(self.collected, self.about, most, least)

    def mean_maps(self, most: int = MOST - 2) -> Chart:
        """Of pictures: the mean map of every target, over their mean picture."""
        if not isinstance(self.collected, Maps):
            raise self._refusal("mean maps", "pictures")
        return maps.mean_maps(self.collected, self.about, most)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The charts that suit the data."""
        suiting: dict[str, Sequence[Callable[[], Chart]]] = {
            "rows": (self.beeswarm, self.bars), "series": (self.over_time,), "texts": (self.words,),
            "pictures": (self.mean_maps,),
        }  # fmt: skip
        return tuple(make() for make in suiting[self.data])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all charts in one file: .png, .json, .txt, .jpg, .pdf.

        Raises:
            OutputError: the suffix is unknown, or the place cannot be written.
        """
        return save(self, path, "overview")

    def _rows(self, asked: str) -> Rows:
        if not isinstance(self.collected, Rows):
            raise self._refusal(asked, "rows of a table")
        return self.collected

    def _refusal(self, asked: str, wanted: str) -> InputError:
        do = f"Take one of its charts: {', '.join(chart.view for chart in self.charts)}."
        return InputError(asked, f"{self.collected.n} {self.data}", f"it is drawn of {wanted}", do)


@dataclass
class Collector:
    """What is collected while explanations come by."""

    kind: str = ""
    collected: Any = None
    targets: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    first: Explanation | None = None

    def add(self, e: Explanation) -> None:
        """One more explanation, or one more batch."""
        kind, collect = kind_of(e)
        if self.first is not None and (kind != self.kind or e.method != self.first.method):
            what = (kind, self.kind) if kind != self.kind else (e.method, self.first.method)
            why = "means are of one kind of data, explained in one way"
            raise InputError("an overview", f"{what[1]} and {what[0]}", why, "Make one for each.")
        self.kind, self.first = kind, self.first or e
        whole = table.finite_rows(e)
        self.broken += len(e) - len(whole)
        every = e.targets or (e.target,) * len(e)
        self.targets.update(every[row] for row in whole)
        for part in [e] if len(whole) == len(e) else [e[row] for row in whole]:
            self.collected = collect(self.collected, part)

    def overview(self) -> Overview:
        """What was collected.

        Raises:
            InputError: it is nothing.
        """
        first = self.first
        if first is None or self.collected is None:
            why = "none of them has finite values" if self.broken else "there is nothing to draw"
            raise InputError("an overview", f"{self.broken or 'no'} explanations", why, "Explain some samples first.")
        about = About(first.method, first.signed, dict(self.targets), self.broken, first.provenance, first.at)
        return Overview(self.kind, self.collected, about)


def overview_of(explanations: Explanation | Explanations | Iterable[Explanation]) -> Overview:
    """What these explanations say together.

    Raises:
        InputError: there are none, or they are of several kinds or methods, or of no kind that there are charts of.
    """
    found = Collector()
    for e in _batches(explanations):
        found.add(e)
    return found.overview()


def _batches(explanations: Explanation | Explanations | Iterable[Explanation]) -> Iterator[Explanation]:
    if isinstance(explanations, Explanation):
        return iter((explanations,))
    return explanations.batches() if isinstance(explanations, Explanations) else iter(explanations)


def kind_of(e: Explanation) -> tuple[str, Callable[[Any, Explanation], Collected]]:
    """What an explanation is about, and what collects such.

    Raises:
        InputError: there are no charts of it.
    """
    if isinstance(e.subject, (Generated, MultiInput)):
        found = "generated texts" if isinstance(e.subject, Generated) else "several inputs"
        do = "Take e[0], or e.part(name)."
        raise InputError("an overview", found, "their places differ from sample to sample", do)
    if isinstance(e.subject, Tokens):
        return "texts", texts.collect
    if isinstance(e.subject, Table) or e.values.dim() == 2:
        return "rows", table.collect
    return ("series", series.collect) if e.values.dim() == 3 else ("pictures", maps.collect)
