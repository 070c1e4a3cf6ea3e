"""Marked text in a terminal: tokens on grounds in 24-bit colour, or signs behind words where there is no colour."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.core.numbers import figure
from pellucid.model.modality.tokens import SPECIAL
from ...parts.map import Map
from .runs import UNREAD, Run, ground, ink, rows, runs

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation

RESET = "\x1b[0m"
SIGNS = ((0.6, "++"), (0.2, "+"), (-0.2, ""), (-0.6, "-"))  # from this strength on


def lines(e: Explanation, drawn: Map, width: int, colour: bool) -> list[str]:
    """The text in lines, then what its marks mean."""
    marked = runs(e, drawn) if colour else [signed(run) for run in runs(e, drawn, by="word")]
    told = ["".join(painted(run, drawn) if colour else run.text for run in row) for row in rows(marked, width)]
    return told if drawn.empty else [*told, legend(drawn, colour=colour)]


def painted(run: Run, drawn: Map) -> str:
    """One run in its colours."""
    if run.kind == UNREAD or (run.value is None and not run.blank):
        return f"\x1b[2m{run.text}{RESET}"
    if run.value is None:
        return run.text
    back = ground(run, drawn)
    slant = "\x1b[3m" if run.kind == SPECIAL else ""
    return "\x1b[48;2;{};{};{}m".format(*back) + "\x1b[38;2;{};{};{}m".format(*ink(back)) + f"{slant}{run.text}{RESET}"


def signed(run: Run) -> Run:
    """One run with signs behind it that say how much it speaks."""
    if run.value is None:
        return run
    mark = next((sign for level, sign in SIGNS if run.strength >= level), "--")
    return replace(run, text=f"{run.text}{mark and f'({mark})'}")


def legend(drawn: Map, *, colour: bool) -> str:
    """What the marks mean, the scale, and how much it clips."""
    if colour:
        ends = ((1.0, "for"), (-1.0, "against")) if drawn.signed else ((1.0, "unsigned: how much"),)
        marks = "  ".join(f"{painted(Run(f' {words} ', level, level, 'text'), drawn)}" for level, words in ends)
    else:
        marks = "(++) for  (--) against" if drawn.signed else "(++) unsigned: how much"
    limit = f"{'±' if drawn.signed else ''}{figure(drawn.scale.limit)}"
    return f"{marks} · full at {limit} · {drawn.scale.clipped(drawn.heat)} clipped"
