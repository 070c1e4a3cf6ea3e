"""The table of an evaluation: scores by method and metric, their ranks, notes and advice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.core.data_frame import data_frame
from pellucid.core.displayed import Displayed
from pellucid.core.formats import plot, save
from pellucid.core.one_line import cut, one_line
from pellucid.errors import MethodError, PellucidError
from pellucid.errors.printable import in_markdown
from ..metric import Metric, Scores
from .advice import Ranking
from .format import columns, comma_separated, markdown, plain
from .interval import LEVEL, Paired, interval, paired

RANDOM = "random"
HEADS = ("metric", "method", "rank", "score", "95 % interval", "n", "chance", "best", "of best", "R-OMS", "forwards", "seconds")


@dataclass(frozen=True)
class Cost:
    """What explaining one sample takes.

    Arguments:
        forwards: Forward passes, those of backward passes once more; 0 where the method does not count them.
        seconds: Time, as measured on this machine.
    """

    forwards: float
    seconds: float

    __repr__ = one_line


@dataclass(frozen=True, eq=False)
class Table(Displayed):
    """Scores of methods by metrics, on the same samples.

    Arguments:
        metrics: By name, in the order they were asked for.
        costs: Per method, in the order they were asked for, those that failed left out.
        scores: By method and metric.
        failures: What went wrong, by method, or by method and metric.
        asked: What all of it is about: model and samples, in words.
        forwards: How many samples went through the model to judge; shared ones counted once.
        seconds: How long judging took.
        seed: Of the intervals.
        provenance: What was asked.
    """

    kind: ClassVar[str] = "table"

    metrics: dict[str, Metric]
    costs: dict[str, Cost]
    scores: dict[tuple[str, str], Scores]
    failures: dict[tuple[str, str | None], PellucidError]
    asked: str = ""
    forwards: int = 0
    seconds: float = 0.0
    seed: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.costs)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One per metric and method: plain numbers, None where there is none.

        `score` is the mean over `n` samples, `low` and `high` the ends of its 95 % bootstrap interval. `floor` is what random
        orders reach, `ceiling` the best order, `normalised` where the score lies between the two. `reliability` (R-OMS) tells how
        sure the model stays when parts go by chance. `forwards` and `seconds` are what the method takes for one sample, and
        `judging` how many forward passes this score took beside those that others had made.
        """
        return [
            self._row(method, metric) for metric in self.metrics for method in self.methods if (method, metric) in self.scores
        ]

    def _row(self, method: str, metric: str) -> dict[str, Any]:
        found, cost = self.scores[method, metric], self.costs[method]
        low, high = interval(found.values, seed=self.seed)
        score, floor, ceiling = _mean(found.values), _mean(found.floor), _mean(found.ceiling)
        row = {"method": method, "metric": metric, "score": score, "low": low, "high": high}
        row |= {"n": int((~found.values.isnan()).sum()), "forwards": cost.forwards or None, "seconds": cost.seconds}
        row |= {"rank": self._rank(method, metric), "better": "higher" if self.metrics[metric].higher else "lower"}
        share = (score - floor) / (ceiling - floor) if ceiling != floor else torch.nan
        row |= {"floor": floor, "ceiling": ceiling, "normalised": share}
        row |= {"reliability": _mean(found.reliability), "judging": found.forwards}
        return {name: None if value != value else value for name, value in row.items()}

    def _rank(self, method: str, metric: str) -> float:
        sign = -1 if self.metrics[metric].higher else 1
        ours = [sign * _mean(self.scores[m, metric].values) for m in self.methods if (m, metric) in self.scores]
        own = sign * _mean(self.scores[method, metric].values)
        return 1 + sum(other < own for other in ours) if own == own else torch.nan

    def paired(self, metric: str, first: str, second: str = RANDOM) -> Paired:
        """How two methods differ by one metric, sample by sample; "random" stands for random orders.

        Raises:
            MethodError: one of them has no such score.
        """
        return paired(self._values(metric, first), self._values(metric, second, beside=first), seed=self.seed)

    def _values(self, metric: str, method: str, beside: str = "") -> Tensor:
        if method == RANDOM and (beside, metric) in self.scores:
            floor = self.scores[beside, metric].floor
            if floor is not None:
                return floor
        if (method, metric) not in self.scores:
            known = ", ".join(f"{m} by {n}" for m, n in self.scores) or "none"
            raise MethodError(f"{method} by {metric}", f"scores of {known}", "this score was not computed", "Evaluate it first.")
        return self.scores[method, metric].values

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know, each once."""
        about: dict[str, list[str]] = {}
        for (_, metric), found in self.scores.items():
            for note in found.notes:
                about.setdefault(note, []).append(metric)
        notes = [f"{', '.join(dict.fromkeys(metrics))}: {note}" for note, metrics in about.items()]
        return (*notes, *(f"{m} by {n}: {error}" if n else f"{m}: {error}" for (m, n), error in self.failures.items()))

    @property
    def advice(self) -> str:
        """Which method to use, in a sentence with its evidence: by SRG where it was evaluated, else by the first metric."""
        return self._ranking.advice

    @property
    def best(self) -> str:
        """The method that the advice ends in.

        Raises:
            MethodError: no method has a score.
        """
        return self._ranking.best

    @property
    def _ranking(self) -> Ranking:
        metric = "srg" if "srg" in self.metrics else next(iter(self.metrics))
        return Ranking(metric, self.rows, partial(self.paired, metric))

    def __str__(self) -> str:
        lines = columns(HEADS, [cells(row) for row in self.rows])
        return "\n".join([*lines, "", self.advice, *self.notes])

    def __repr__(self) -> str:
        return cut(f"Table({len(self.methods)} methods, {len(self.metrics)} metrics{f', {self.asked}' if self.asked else ''})")

    def frame(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return data_frame(self.rows)

    def plot(self, ax: Any = None, *, metric: str | None = None) -> Any:
        """Draw the scores by one metric, the first by default, as bars with their intervals into an axis of matplotlib.

        Returns:
            The axis.

        Raises:
            MissingExtra: matplotlib is not installed.
            MethodError: there are no scores by that metric.
        """
        return plot(self, self.kind, ax, metric=metric)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.csv, .json, .md), whole or not at all.

        Raises:
            OutputError: the suffix is unknown, or the place cannot be written.
        """
        return save(self, path, "table", **options)


def _mean(values: Tensor | None) -> float:
    return torch.nan if values is None else float(values.nanmean())


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row in words, in the order of `HEADS`."""

    def number(name: str, form: str = "z.3f") -> str:
        return "–" if row[name] is None else format(row[name], form)

    within = "–" if row["low"] is None else f"{row['low']:z.3f} to {row['high']:z.3f}"
    arrow = "↑" if row["better"] == "higher" else "↓"
    return (
        f"{row['metric']} {arrow}", row["method"], number("rank", ".0f"), number("score"), within, str(row["n"]),
        number("floor"), number("ceiling"), number("normalised", ".0%"), number("reliability", ".2f"),
        number("forwards", ",.0f"), number("seconds", ".2f"),
    )  # fmt: skip


def to_csv(table: Table) -> str:
    """One line per row; empty where there is no number."""
    return comma_separated(table.rows, ["method", "metric", "score", "low", "high", "n", "forwards", "seconds"])


def to_dict(table: Table) -> dict[str, Any]:
    """The table as plain data: rows, the scores of every sample, advice and notes."""
    scores = [
        {"method": method, "metric": metric, **{name: plain(getattr(found, name)) for name in ("values", "floor", "ceiling")}}
        for (method, metric), found in table.scores.items()
    ]
    kept = {name: getattr(table, name) for name in ("asked", "forwards", "seconds", "seed", "advice")}
    return kept | {"level": LEVEL, "rows": table.rows, "notes": list(table.notes), "scores": scores}


def to_markdown(table: Table) -> str:
    """A table for a page, with advice and notes below."""
    lines = markdown(HEADS, [cells(row) for row in table.rows])
    about = [in_markdown(table.asked), ""] if table.asked else []
    return "\n".join([*about, *lines, "", in_markdown(table.advice), "", *map(in_markdown, table.notes)]).rstrip()
