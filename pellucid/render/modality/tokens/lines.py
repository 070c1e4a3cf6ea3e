"""Marked text in a terminal: tokens on grounds in 24-bit colour, or signs behind words where there is no colour."""

from __future__ import annotations

from dataclasses import replace

from pellucid.explanation.explanation import Explanation
from ...parts.map import Map
from ...parts.palette import RESET, ink, paper
from .runs import SINK, UNREAD, Run, ground, legible, rows, runs, sink_runs

SIGNS = ((0.6, "++"), (0.2, "+"), (-0.2, ""), (-0.6, "-"))  # from this strength on


def lines(e: Explanation, drawn: Map, width: int, colour: bool) -> list[str]:
    """The text in lines, then what its marks mean."""
    marked = runs(e, drawn) if colour else [signed(run) for run in runs(e, drawn, by="word")]
    text = ["".join(painted(run, drawn) if colour else run.text for run in row) for row in rows(marked, width)]
    aside = [*rows(sink_runs(e, drawn), width)] if drawn.sinks else []
    text += ["".join(painted(run, drawn) if colour else run.text for run in row).rstrip() for row in aside]
    return text if drawn.empty else [*text, legend(drawn, colour=colour)]


def painted(run: Run, drawn: Map) -> str:
    """One run in its colours."""
    if run.kind == UNREAD or (run.value is None and not run.blank):
        return f"\x1b[2m{run.text}{RESET}"
    if run.value is None:
        return run.text
    back = ground(run, drawn)
    slant = "\x1b[3m" if run.outlined else ""
    return f"{paper(back)}{ink(legible(back))}{slant}{run.text}{RESET}"


def signed(run: Run) -> Run:
    """One run with signs behind it that say how much it speaks."""
    if run.value is None:
        return run
    mark = "*" if run.kind == SINK else next((sign for level, sign in SIGNS if run.strength >= level), "--")
    words = run.text.rstrip("\n")
    return replace(run, text=f"{words}{mark and f'({mark})'}{run.text[len(words) :]}")


def legend(drawn: Map, *, colour: bool) -> str:
    """What the marks mean, the scale, and how much it clips."""
    if colour:
        runs = (Run(f" {text} ", level, level, "text") for level, text in drawn.ends(short=True))
        marks = "  ".join(painted(run, drawn) for run in runs)
    else:
        marks = "  ".join(f"({'--' if level < 0 else '++'}) {text}" for level, text in drawn.ends(short=True))
    return f"{marks} · {drawn.scale.short(drawn.scaled, signed=drawn.signed)}"
