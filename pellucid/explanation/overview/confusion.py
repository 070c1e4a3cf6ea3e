"""Where a model errs: which classes it takes for one another, and what speaks for the wrong one rather than the true one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.one_line import cut
from pellucid.errors import InputError
from .chart import Bar, Bars, Cell, Chart
from .maps import Maps, MeanMap, MeanMaps
from .overview import Overview
from .running import Interval
from .table import Rows
from .texts import Words

Pair = tuple[str, str]
NAMED = 3  # columns or words that a line of the table names


@dataclass(frozen=True, eq=False)
class Confusion(Displayed):
    """Samples whose class is known, by what they are and what the model takes them for.

    Arguments:
        counts: How many samples there are of each (true class, predicted class), right ones too.
        pairs: Of the wrong ones, the explanations of why the predicted class rather than the true one, at a glance.
    """

    kind: ClassVar[str] = "confusion"

    counts: Mapping[Pair, int]
    pairs: Mapping[Pair, Overview]

    @property
    def n(self) -> int:
        """How many samples there are."""
        return sum(self.counts.values())

    @property
    def errors(self) -> int:
        """How many of them the model takes for another class."""
        return sum(count for (true, predicted), count in self.counts.items() if true != predicted)

    def __repr__(self) -> str:
        return cut(f"Confusion({self.errors} of {self.n} samples taken for another class, {len(self.pairs)} pairs of classes)")

    def pair(self, true: str, predicted: str) -> Overview:
        """What speaks for the predicted class rather than the true one, over all samples of that pair.

        Raises:
            InputError: there are none.
        """
        if (true, predicted) not in self.pairs:
            known = ", ".join(f"{one} as {other}" for one, other in list(self.pairs)[:4]) or "none"
            raise InputError(f"{true} as {predicted}", "no such error", "the model makes others", f"Take one of: {known}.")
        return self.pairs[true, predicted]

    def chart(self, most: int = 12) -> Chart:
        """The pairs that are confused most often: of pictures the mean map of each, else how often, and what speaks for it.

        Raises:
            InputError: the model makes no error.
        """
        if not self.pairs:
            why = "there is nothing to explain"
            raise InputError("a chart of errors", f"{self.n} samples, all of them right", why, "Give samples that it gets wrong.")
        order = sorted(self.pairs, key=lambda pair: (-self.counts[pair], pair))
        about = self.pairs[order[0]].about
        if all(isinstance(self.pairs[pair].collected, Maps) for pair in order):
            panels = tuple(self._map(pair) for pair in order[:most])
            data: Any = MeanMaps(panels, about.signed, ("the error", "the true class"), "ahead by")
            shown = f"The mean map of each pair of classes{data.ground}; all have one scale."
        else:
            bars = [Bar(_words(pair), Interval(self.counts[pair], np.nan, np.nan), strongest(self.pairs[pair])) for pair in order]
            data = Bars(tuple(bars[:most]), False, "samples")
            shown = "How often each pair of classes is confused, and beside it what speaks most for the error."
        caption = (
            f"{self.errors} of {self.n:,} samples are taken for another class. {shown} Explained by {about.by} is the score of "
            "the predicted class minus that of the true one: values above zero speak for the error, those below for the true "
            "class."
        )
        if len(order) > most:
            caption += f" {len(order) - most} more pairs are rarer."
        title = f"What speaks where the model errs, {self.errors} of {self.n:,} samples"
        head = "true class", "predicted class", "samples", "share of the true class", "speaks most for the error"
        return Chart("confusion", title, caption, head, tuple(map(self._row, order)), data, about.left_out, about.provenance)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write its chart, see `Chart.save`."""
        return save(self, path, "confusion")

    def _row(self, pair: Pair) -> tuple[Cell, ...]:
        every = sum(count for (true, _), count in self.counts.items() if true == pair[0])
        return (*pair, self.counts[pair], self.counts[pair] / every, strongest(self.pairs[pair]))

    def _map(self, pair: Pair) -> MeanMap:
        """All pictures of a pair as one mean map."""
        collected = self.pairs[pair].collected
        assert isinstance(collected, Maps)
        (one,) = collected.groups.values()
        return replace(one, target=_words(pair))


def _words(pair: Pair) -> str:
    return f"{pair[0]}, taken for {pair[1]}"


def strongest(overview: Overview) -> str:
    """The columns or words that speak most for the error, by their mean; "" of what has no names."""
    collected = overview.collected
    if isinstance(collected, Rows):
        means = list(zip(collected.names, collected.mean.mean.tolist(), strict=True))
    elif isinstance(collected, Words):
        means = [(word.text, word.total) for word in collected.words.values()]
    else:
        return ""
    best = sorted(means, key=lambda one: -one[1])[:NAMED]
    return ", ".join(name for name, mean in best if mean > 0)
