"""A generated text in a terminal: the text, then every new token with the tokens before it that say most."""

from __future__ import annotations

from pellucid.core.numbers import figure, with_sign
from pellucid.explanation.explanation import Explanation
from ...parts.cells import cells, cut, filled, padded
from ...parts.palette import RESET, ends, ink, paper
from ..tokens.runs import Run, legible, rows
from .layout import Layout, layout
from .matrix import scale_words
from .words import text_parts

MOST = 6  # tokens beside each new one


def lines(e: Explanation, width: int, colour: bool) -> list[str]:
    """The text in lines, a line per new token, and what its marks mean."""
    shown, (prompt, new) = layout(e), text_parts(e)
    text = ["".join(run.text for run in row) for row in rows([Run(f"{prompt} »{new}")], width)]
    left = min(24, max(cells(name) for name in shown.rows))
    body = [line(shown, row, float(e.output[row]), left, width, colour=colour) for row in range(len(shown.rows))]
    return [*text, "", *body, *([legend(shown)] if colour else []), *filled(scale_words(shown), width)]


def line(shown: Layout, row: int, score: float, left: int, width: int, *, colour: bool) -> str:
    """One new token, its score, and the tokens that say most of it."""
    head = f"{row + 1:>3} {padded(cut(shown.rows[row], left), left)} {figure(score):>7} <"
    used, parts = cells(head), [head]
    for column in shown.strongest(row, MOST):
        words = f" {shown.columns[column]} {with_sign(shown.heat[row, column], signed=shown.signed)}"
        if used + cells(words) + 1 > width:
            break
        used += cells(words) + 1
        parts.append(painted(shown, words, shown.strength(row, column)) if colour else words)
    return " ".join(parts)


def painted(shown: Layout, words: str, strength: float) -> str:
    """Words on the ground of a strength."""
    back = shown.drawn.on_paper(strength)
    return f"{paper(back)}{ink(legible(back))}{words} {RESET}"


def legend(shown: Layout) -> str:
    """What the colours mean."""
    return "  ".join(painted(shown, f" {words}", level) for level, words in ends(signed=shown.signed, short=True))
