"""The ledger as a table: its largest bookings, and the sums they belong to."""

from __future__ import annotations

from pellucid.core.numbers import decimals, figure
from pellucid.explanation.ledger import Ledger

MOST_ROWS = 12


def ledger_rows(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Lines (what, where, amount) of one sample's books: seed, input, the largest bookings, the rest, the error."""
    booked = [(row.cause, f"{row.op} in {row.where}" if row.where else row.op, float(row.amount)) for row in ledger.rows]
    booked.sort(key=lambda line: -abs(line[2]))
    shown, rest = booked[:MOST_ROWS], booked[MOST_ROWS:]
    if rest:
        shown.append(("the rest", f"{len(rest)} smaller bookings", sum(amount for _, _, amount in rest)))
    lines = [
        ("seed", "the target", float(ledger.seed)),
        ("input", "reached the input", float(ledger.input)),
        *shown,
        ("error", "unaccounted", float(ledger.error)),
    ]
    places = decimals(lines[0][2], lines[1][2])
    return [(what, where, figure(amount, places)) for what, where, amount in lines]


def ledger_lines(ledger: Ledger) -> list[str]:
    """The table in columns of plain text."""
    lines = ledger_rows(ledger)
    wide = [max(len(line[column]) for line in lines) for column in range(3)]
    return [f"{what:<{wide[0]}}  {where:<{wide[1]}}  {amount:>{wide[2]}}" for what, where, amount in lines]
