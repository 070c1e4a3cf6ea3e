"""The ledger of a layer as a table: its largest entries, and the sums they belong to."""

from __future__ import annotations

from pellucid.core.numbers import decimals, figure, shows
from .decode import Data

MOST_ROWS = 12


def ledger_rows(layer: Data, most: int = MOST_ROWS) -> list[tuple[str, str, str]]:
    """Lines (what, where, amount): relevance at both ends, the largest entries, the rest, the error."""
    books = layer["ledger"]
    places = decimals(books["seed"] or 0.0, books["input"] or 0.0)
    entries = [(one["cause"], entry_place(one), one["amount"] or 0.0) for one in books["rows"]]
    shown = [entry for entry in entries[:most] if shows(entry[2], places)]
    left = entries[len(shown) :]
    count = len(left) + books["rest"]["count"]
    rest = sum(amount for _, _, amount in left) + (books["rest"]["amount"] or 0.0)
    lines = [
        ("output", "relevance of the target", books["seed"] or 0.0),
        ("input", "relevance that reached it", books["input"] or 0.0),
        *((bar["label"], "of that", -bar["amount"] if bar["kind"] == "change" else bar["amount"]) for bar in sink_bars(books)),
        *shown,
        *([("the rest", f"{count} smaller entries", rest)] if count else []),
        ("error", "unaccounted for", books["error"] or 0.0),
    ]
    return [(what, where, figure(amount, places)) for what, where, amount in lines]


def sink_bars(books: Data) -> list[Data]:
    """The bars of a ledger behind what reached the input: sinks, and other tokens."""
    bars = books["waterfall"]
    reached = next((n for n, bar in enumerate(bars) if bar["kind"] == "end"), len(bars) - 1)
    return [bar for bar in bars[reached + 1 :] if bar["amount"] is not None]


def entry_place(one: Data) -> str:
    """Where an entry of a ledger is from, in words."""
    return f"{one['op']} in {one['where']}" if one["where"] else one["op"]
