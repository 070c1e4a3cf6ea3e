"""Findings: the results of a suite, method by method, under every condition, with intervals and controls."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from pellucid.core.data_frame import data_frame
from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.core.one_line import cut
from pellucid.errors import MethodError, PellucidError
from pellucid.errors.printable import in_markdown
from pellucid.methods.perturb.sampling.least_squares import student_factor
from pellucid.metrics.report.format import columns, comma_separated, markdown, plain
from pellucid.metrics.report.interval import interval
from .marks import SHARES, Measure

NORMAL = 1.959963984540054  # standard errors that 95 % of all means lie within
MARKS_IT, SELDOM = 0.5, 0.2  # WIN from which a method is said to mark what hides, and below which it is said to do so seldom


@dataclass(frozen=True, eq=False)
class Findings(Displayed):
    """The results of a suite.

    Arguments:
        suite: Its name.
        asked: The question that all of it is about, in words.
        word: What a condition is called: "occluder".
        measures: What was measured.
        scores: By method, condition and measure, one number per repetition.
        controls: By name and condition, one number per repetition: whether the experiment is what it says it is.
        repeated: What the repetitions are: "seeds", whose mean gets Student's interval, or pictures and places, which are drawn
            again by the bootstrap.
        seconds: How long a method takes for one picture.
        failures: Methods that could not answer, and why.
        notes: Sentences a reader has to know.
        provenance: What was asked.
    """

    kind: ClassVar[str] = "findings"

    suite: str
    asked: str
    word: str
    measures: tuple[Measure, ...]
    scores: Mapping[tuple[str, str, str], Tensor]
    controls: Mapping[tuple[str, str], Tensor]
    repeated: Literal["seeds", "placements"]
    seconds: Mapping[str, float]
    failures: Mapping[str, PellucidError] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(method for method, _, _ in self.scores))

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(condition for _, condition, _ in self.scores))

    def __getitem__(self, key: tuple[str, str, str]) -> float:
        """The mean of a method under a condition by a measure: findings["lrp", "grey", "win"].

        Raises:
            MethodError: it was not measured.
        """
        if key not in self.scores:
            raise MethodError(
                f"{', '.join(key)} of {self.suite}", f"methods {', '.join(self.methods)} and {self.word}s "
                f"{', '.join(self.conditions)}", "that was not measured", "Ask for one of these.",
            )  # fmt: skip
        return float(self.scores[key].nanmean())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One per condition, method and measure, plain numbers, None where there is none; then one per condition and control.

        `score` is the mean over `n` repetitions, `low` and `high` the ends of its 95 % interval.
        """
        order = self.conditions
        measured = [self._row(*key, self.scores[key]) for key in sorted(self.scores, key=lambda key: order.index(key[1]))]
        return measured + [self._row("control", condition, name, values) for (name, condition), values in self.controls.items()]

    def _row(self, method: str, condition: str, measure: str, values: Tensor) -> dict[str, Any]:
        low, high = mean_interval(values, self.repeated)
        if measure in SHARES:
            low, high = (min(max(end, 0.0), 1.0) if end == end else end for end in (low, high))
        row = {"method": method, "condition": condition, "metric": measure, "score": float(values.nanmean()), "low": low}
        row |= {"high": high, "n": int((~values.isnan()).sum()), "seconds": self.seconds.get(method)}
        return {name: None if value != value else value for name, value in row.items()}

    @property
    def verdict(self) -> str:
        """Which methods mark what hides, in a sentence, by the worst of the conditions."""
        worst = {method: max(self[method, condition, "win"] for condition in self.conditions) for method in self.methods}
        groups = (
            ("mark more per pixel on what hides than on what is seen at least half of the time", MARKS_IT, math.inf),
            (f"do so in less than a fifth of the pictures with every {self.word}", -math.inf, SELDOM),
            ("lie between", SELDOM, MARKS_IT),
        )
        sentences = []
        for predicate, low, high in groups:
            members = [f"{method} ({share:.2f})" for method, share in worst.items() if low <= share < high]
            sentences += [f"These {predicate}: {', '.join(members)}."] if members else []
        return " ".join([*sentences, f"(The greatest WIN of any {self.word} in brackets.)"])

    def __str__(self) -> str:
        return "\n".join([self.asked, "", *columns(header(self), cells(self)), "", *sentences(self)])

    def __repr__(self) -> str:
        return cut(f"Findings({self.suite}: {len(self.methods)} methods, {', '.join(self.conditions)})")

    def frame(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return data_frame(self.rows)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.csv, .json, .md), whole or not at all.

        Raises:
            OutputError: the suffix is unknown, or the place cannot be written.
        """
        return save(self, path, "findings", **options)


def mean_interval(values: Tensor, repeated: str) -> tuple[float, float]:
    """The 95 % interval of the mean: Student's over seeds, which are few; by the bootstrap over others.

    References: Student, 1908, The probable error of a mean, https://doi.org/10.1093/biomet/6.1.1

    Example:
        >>> low, high = mean_interval(torch.tensor([1.0, 2.0, 3.0]), "seeds")
        >>> round(low, 2), round(high, 2)  # 2 -+ 4.303 / sqrt(3)
        (-0.48, 4.48)
    """
    if repeated != "seeds":
        return interval(values)
    values = values[~values.isnan()].double()
    n, mean = len(values), float(values.mean())
    if n < 2:
        return torch.nan, torch.nan
    margin = NORMAL * student_factor(n - 1) * float(values.std()) / math.sqrt(n)
    return mean - margin, mean + margin


def header(findings: Findings) -> tuple[str, ...]:
    """The titles of the columns."""
    measures = (name for measure in findings.measures for name in (measure.name.upper(), "95 % interval"))
    return (findings.word, "method", *measures, "seconds")


def cells(findings: Findings) -> list[tuple[str, ...]]:
    """The table in words, one row per condition and method, in the order of `header`."""
    by = {(row["method"], row["condition"], row["metric"]): row for row in findings.rows}
    lines = []
    for condition in findings.conditions:
        for method in findings.methods:
            rows = [by[method, condition, measure.name] for measure in findings.measures]
            numbers = (text for row in rows for text in (_number(row["score"]), _interval(row)))
            lines.append((condition, method, *numbers, _number(rows[0]["seconds"], ".3f")))
    return lines


def sentences(findings: Findings) -> list[str]:
    """The controls, what the measures mean, the verdict, and notes."""
    controls = []
    for condition in dict.fromkeys(condition for _, condition in findings.controls):
        rows = [row for row in findings.rows if (row["method"], row["condition"]) == ("control", condition)]
        values = (f"{row['metric']} {_number(row['score'])} {_interval(row, brackets=True)}".rstrip() for row in rows)
        controls.append(f"{condition}: {'; '.join(values)}")
    asks = [f"{measure.name.upper()}: {measure.asks} (want {measure.want:g})." for measure in findings.measures]
    failed = [f"{method}: {error}" for method, error in findings.failures.items()]
    return ["Controls", *controls, "", *asks, "", findings.verdict, *findings.notes, *failed]


def _number(value: float | None, form: str = "z.2f") -> str:
    return "–" if value is None else format(value, form)


def _interval(row: dict[str, Any], *, brackets: bool = False) -> str:
    if row["low"] is None:
        return "" if brackets else "–"
    text = f"{row['low']:z.2f} to {row['high']:z.2f}"
    return f"[{text}]" if brackets else text


def to_dict(findings: Findings) -> dict[str, Any]:
    """The findings as plain data: rows, every repetition, verdict and notes."""
    about = {"suite": findings.suite, "asked": findings.asked, "repeated": findings.repeated, "verdict": findings.verdict}
    each = [
        {"method": method, "condition": condition, "metric": measure, "values": plain(values)}
        for (method, condition, measure), values in findings.scores.items()
    ]
    notes = [*findings.notes, *(f"{method}: {error}" for method, error in findings.failures.items())]
    return about | {"rows": findings.rows, "notes": notes, "scores": each}


def to_csv(findings: Findings) -> str:
    """One line per row; empty where there is no number."""
    return comma_separated(findings.rows)


def to_markdown(findings: Findings) -> str:
    """A table for a page, with controls, verdict and notes below."""
    lines = markdown(header(findings), cells(findings))
    return "\n".join([in_markdown(findings.asked), "", *lines, "", *map(in_markdown, sentences(findings))]).rstrip()
