"""The ledger of a score: its largest entries, and the waterfall from the score to what reached the input."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.explanation import ledger as books
from pellucid.explanation.sinks import name
from pellucid.model.modality import Piece
from . import schema
from .encoding import number

MOST_ROWS = 24


def ledger(one: books.Ledger, sinks: Sequence[Piece] = ()) -> schema.Ledger:
    """The ledger of one sample."""
    entries = sorted(one.rows, key=lambda row: -abs(float(row.amount)))
    rest = entries[MOST_ROWS:]
    rows = [schema.Entry(where=r.where, op=r.op, cause=r.cause, amount=number(float(r.amount))) for r in entries[:MOST_ROWS]]
    left = schema.Rest(count=len(rest), amount=number(sum(float(row.amount) for row in rest)))
    seed, arrived, absorbed, error = (number(float(part)) for part in (one.seed, one.input, one.absorbed, one.error))
    return schema.Ledger(
        seed=seed, input=arrived, absorbed=absorbed, error=error, sentence=one.sentence(), rows=rows, rest=left,
        waterfall=waterfall(one, sinks),
    )  # fmt: skip


def waterfall(one: books.Ledger, sinks: Sequence[Piece]) -> list[schema.Bar]:
    """From the relevance of the score, by what each cause took, to what reached the input, and what of that sinks hold."""
    made = [schema.Bar(label="relevance of the score", amount=number(float(one.seed)), kind="start")]
    made += [change(cause, -float(amount)) for cause, amount in one.by_cause().items()]
    made += [change("unaccounted for", -float(one.error))] if abs(float(one.error)) > 1e-4 * float(one.volume) else []
    made.append(schema.Bar(label="reached the input", amount=number(float(one.input)), kind="end"))
    if sinks:
        made += [change(f"sink {name(piece)}", -piece.value) for piece in sinks]
        left = float(one.input) - sum(piece.value for piece in sinks)
        made.append(schema.Bar(label="other tokens", amount=number(left), kind="end"))
    return made


def change(label: str, amount: float) -> schema.Bar:
    return schema.Bar(label=label, amount=number(amount), kind="change")
