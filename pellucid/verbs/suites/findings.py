"""Findings: the results of a suite, method by method, under every condition, with intervals and controls."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pellucid.core.formats import save
from pellucid.errors import MethodError, PellucidError
from pellucid.methods.perturb.sampling.least_squares import student_factor
from pellucid.metrics.report.format import columns, comma_separated, markdown, plain
from pellucid.metrics.report.interval import interval
from .marks import Measure

NORMAL = 1.959963984540054  # standard errors that 95 % of all means lie within
MARKS_IT, SELDOM = 0.5, 0.2  # WIN from which a method is said to mark what hides, and below which it is said to do so seldom


@dataclass(frozen=True, eq=False)
class Findings:
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
    """

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

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(method for method, _, _ in self.scores))

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(condition for _, condition, _ in self.scores))

    def __getitem__(self, key: tuple[str, str, str]) -> float:
        """The mean of a method under a condition by a measure: found["lrp", "grey", "win"].

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
        measured = [self._row(*key) for condition in self.conditions for key in self.scores if key[1] == condition]
        return measured + [self._control(*key) for key in self.controls]

    def _row(self, method: str, condition: str, measure: str) -> dict[str, Any]:
        values = self.scores[method, condition, measure]
        low, high = mean_interval(values, self.repeated)
        bounded = measure != "load"
        low, high = (min(max(end, 0.0), 1.0) if bounded and end == end else end for end in (low, high))
        return _row_dict(method, condition, measure, values, low, high, self.seconds.get(method))

    def _control(self, name: str, condition: str) -> dict[str, Any]:
        values = self.controls[name, condition]
        return _row_dict("control", condition, name, values, *mean_interval(values, self.repeated), None)

    @property
    def verdict(self) -> str:
        """Which methods mark what hides, in a sentence, by the worst of the conditions."""
        worst = {method: max(self[method, condition, "win"] for condition in self.conditions) for method in self.methods}
        often = [f"{method} ({share:.2f})" for method, share in worst.items() if share >= MARKS_IT]
        seldom = [f"{method} ({share:.2f})" for method, share in worst.items() if share < SELDOM]
        sometimes = [f"{method} ({share:.2f})" for method, share in worst.items() if SELDOM <= share < MARKS_IT]
        lines = [
            _sentence("mark more per pixel on what hides than on what is seen at least half of the time", often),
            _sentence(f"do so in less than a fifth of the pictures with every {self.word}", seldom),
            _sentence("lie between", sometimes),
        ]
        return " ".join(filter(None, lines)) + f" (The greatest WIN of any {self.word} in brackets.)"

    def __str__(self) -> str:
        lines = columns(header(self), cells(self))
        return "\n".join([self.asked, "", *lines, "", *sentences(self)])

    def __repr__(self) -> str:
        return f"Findings({self.suite}: {len(self.methods)} methods, {', '.join(self.conditions)})"

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
    known = values[~values.isnan()].double()
    n = len(known)
    if n < 2:
        return torch.nan, torch.nan
    margin = NORMAL * student_factor(n - 1) * float(known.std()) / math.sqrt(n)
    return float(known.mean()) - margin, float(known.mean()) + margin


def _row_dict(
    method: str, condition: str, measure: str, values: Tensor, low: float, high: float, seconds: float | None
) -> dict[str, Any]:
    row = {
        "method": method,
        "condition": condition,
        "metric": measure,
        "score": float(values.nanmean()),
        "low": low,
        "high": high,
    }
    row |= {"n": int((~values.isnan()).sum()), "seconds": seconds}
    return {name: None if value != value else value for name, value in row.items()}


def header(found: Findings) -> tuple[str, ...]:
    """The titles of the columns."""
    measures = (name for measure in found.measures for name in (measure.name.upper(), "95 % interval"))
    return (found.word, "method", *measures, "seconds")


def cells(found: Findings) -> list[tuple[str, ...]]:
    """The table in words, one row per condition and method, in the order of `heads`."""
    by = {(row["method"], row["condition"], row["metric"]): row for row in found.rows}
    lines = []
    for condition in found.conditions:
        for method in found.methods:
            rows = [by[method, condition, measure.name] for measure in found.measures]
            numbers = (text for row in rows for text in (_number(row["score"]), _interval(row)))
            lines.append((condition, method, *numbers, _number(rows[0]["seconds"], ".3f")))
    return lines


def sentences(found: Findings) -> list[str]:
    """The controls, what the measures mean, the verdict, and notes."""
    controls = [
        f"{condition}: "
        + "; ".join(f"{name} {_number(row['score'])} {_interval(row, brackets=True)}".rstrip() for name, row in rows)
        for condition, rows in _controls(found).items()
    ]
    asks = [f"{measure.name.upper()}: {measure.asks} (want {measure.want:g})." for measure in found.measures]
    failed = [f"{method}: {error}" for method, error in found.failures.items()]
    return ["Controls", *controls, "", *asks, "", found.verdict, *found.notes, *failed]


def _controls(found: Findings) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    by: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for row in found.rows:
        if row["method"] == "control":
            by.setdefault(row["condition"], []).append((row["metric"], row))
    return by


def _number(value: float | None, form: str = "z.2f") -> str:
    return "–" if value is None else format(value, form)


def _interval(row: dict[str, Any], *, brackets: bool = False) -> str:
    if row["low"] is None:
        return "" if brackets else "–"
    text = f"{row['low']:z.2f} to {row['high']:z.2f}"
    return f"[{text}]" if brackets else text


def _sentence(what: str, who: list[str]) -> str:
    return f"These {what}: {', '.join(who)}." if who else ""


def to_dict(found: Findings) -> dict[str, Any]:
    """The findings as plain data: rows, every repetition, verdict and notes."""
    about = {"suite": found.suite, "asked": found.asked, "repeated": found.repeated, "verdict": found.verdict}
    each = [
        {"method": method, "condition": condition, "metric": measure, "values": plain(values)}
        for (method, condition, measure), values in found.scores.items()
    ]
    notes = [*found.notes, *(f"{method}: {error}" for method, error in found.failures.items())]
    return about | {"rows": found.rows, "notes": notes, "scores": each}


def to_csv(found: Findings) -> str:
    """One line per row; empty where there is no number."""
    return comma_separated(found.rows)


def to_markdown(found: Findings) -> str:
    """A table for a page, with controls, verdict and notes below."""
    lines = markdown(header(found), cells(found))
    return "\n".join([found.asked, "", *lines, "", *sentences(found)]).rstrip()
