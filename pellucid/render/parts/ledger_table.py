"""The ledger as a table: its largest entries, and the sums they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.numbers import decimals, figure
from pellucid.explanation.ledger import Ledger
from pellucid.explanation.sinks import name
from pellucid.model.modality import Piece
from .cells import cells, padded

MOST_ROWS = 12


def ledger_rows(ledger: Ledger, sinks: Sequence[Piece] = ()) -> list[tuple[str, str, str]]:
    """Lines (what, where, amount) for one sample: relevance at both ends, the largest entries, the rest, the error.

    Arguments:
        sinks: Tokens whose part of what reached the input has a line of its own.
    """
    entries = [(row.cause, row.place, float(row.amount)) for row in ledger.rows]
    entries.sort(key=lambda line: -abs(line[2]))
    shown, rest = entries[:MOST_ROWS], entries[MOST_ROWS:]
    if rest:
        shown.append(("the rest", f"{len(rest)} smaller entries", sum(amount for _, _, amount in rest)))
    lines = [
        ("output", "relevance of the target", float(ledger.seed)),
        ("input", "relevance that reached it", float(ledger.input)),
        *((f"sink {name(piece)}", "of that", piece.value) for piece in sinks),
        *([("other tokens", "of that", float(ledger.input) - sum(piece.value for piece in sinks))] if sinks else []),
        *shown,
        ("error", "unaccounted for", float(ledger.error)),
    ]
    places = decimals(lines[0][2], lines[1][2])
    return [(what, where, figure(amount, places)) for what, where, amount in lines]


def ledger_lines(ledger: Ledger, sinks: Sequence[Piece] = ()) -> list[str]:
    """The table in columns of plain text."""
    lines = ledger_rows(ledger, sinks)
    wide = [max(cells(line[column]) for line in lines) for column in range(3)]
    return [f"{padded(what, wide[0])}  {padded(where, wide[1])}  {amount:>{wide[2]}}" for what, where, amount in lines]
