"""The columns of a row as steps from where the score begins to where it ends; or, of values that do not add up, as bars."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.core.numbers import figure, with_sign
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality.table import Table

MOST = 12
COLUMN, REST, LOST, END = "column", "rest", "lost", "end"


@dataclass(frozen=True)
class Step:
    """One bar.

    Arguments:
        name: Of the column, or what else it is.
        cell: What stands in it.
        start, stop: From where to where it goes, in the units of the score.
        kind: "column", "rest" of them, "lost" on the way, or "end": a mark at `stop`.
    """

    name: str
    cell: str
    start: float
    stop: float
    kind: str = COLUMN

    @property
    def value(self) -> float:
        return self.stop - self.start

    def label(self, *, signed: bool = True) -> str:
        """Its number, with a sign where it has one."""
        return figure(self.stop) if self.kind == END else with_sign(self.value, signed=signed)


def rises(e: Explanation) -> bool:
    """Whether values are steps: whether with what was lost on the way they add up to the score."""
    return e.signed and e.adds


def waterfall(e: Explanation, most: int = MOST) -> list[Step]:
    """Steps from the base to the score, the strongest first; other columns, and what was lost on the way, are steps of their own.

    With a ledger the base is zero. Without one it is what is left of the score: the score of the baseline, of methods with one.
    """
    named, rest = split(e, most)
    output = float(e.output)
    total = sum(value for _, _, value in named) + sum(value for _, _, value in rest)
    if e.ledger is not None:
        start, base, end = "begins at zero", 0.0, float(e.ledger.seed)
        lost = float(e.ledger.absorbed + e.ledger.error)
    else:
        start, base, end, lost = "the baseline scores", output - total, output, 0.0
    changes = [(name, cell, value, COLUMN) for name, cell, value in named]
    changes += [(f"{len(rest)} other columns", "", sum(value for _, _, value in rest), REST)] if rest else []
    changes += [("lost on the way", "", lost, LOST)] if abs(lost) > 1e-6 * max(abs(end), 1e-12) else []
    steps, at = [Step(start, "", base, base, END)], base
    for name, cell, value, kind in changes:
        steps.append(Step(name, cell, at, at + value, kind))
        at += value
    same = abs(end - output) <= 1e-3 * abs(output)
    return [*steps, Step("the score" if same else "relevance at the output", "", end, end, END)]


def bars(e: Explanation, most: int = MOST) -> list[Step]:
    """Bars from zero, the strongest first."""
    named, rest = split(e, most)
    steps = [Step(name, cell, 0.0, value) for name, cell, value in named]
    if rest:
        strongest = max((value for _, _, value in rest), key=abs)
        steps.append(Step(f"{len(rest)} other columns, each at most", "", 0.0, strongest, REST))
    return steps


def split(e: Explanation, most: int) -> tuple[list[tuple[str, str, float]], list[tuple[str, str, float]]]:
    """(name, cell, value) of the strongest columns, and of the others."""
    table = e.subject
    assert isinstance(table, Table)
    row = e.heat().flatten().double().tolist()
    lines = sorted(zip(table.names, table.cells[0], row, strict=True), key=lambda line: -abs(line[2]))
    cut = len(lines) if len(lines) <= most + 1 else most
    return lines[:cut], lines[cut:]
