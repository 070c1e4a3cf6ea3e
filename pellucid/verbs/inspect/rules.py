"""Planned: which rule relevance propagation takes for which kind of operation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pellucid.explanation.method import Method, member
from pellucid.tape import Tape, path, rewrite
from pellucid.tape.seed import find_output

NONE = "none: its derivative is taken, and the ledger says so"


@dataclass(frozen=True)
class Planned:
    """Operations of one kind that get one rule.

    Arguments:
        kind, rule: Of the operations.
        count: How many there are.
        first: Where the first of them ran.
    """

    kind: str
    rule: str
    count: int
    first: str


def plan(method: Method, tape: Tape | None) -> tuple[str, tuple[Planned, ...]]:
    """The composite, and which rule each kind of operation on the path to the output gets; nothing for methods without."""
    choose = member(method, "choose")
    if choose is None or tape is None:
        return "", ()
    rewritten = rewrite(tape)
    ops = path(rewritten, (find_output(rewritten),))
    composite = choose(rewritten, ops)
    rules = composite.plan(ops, rewritten)
    grouped = [(op.kind, str(rules[op.index]) if op.index in rules else NONE) for op in ops]
    first = {pair: op.place for op, pair in zip(reversed(ops), reversed(grouped), strict=True)}
    return composite.name, tuple(Planned(*pair, count, first[pair]) for pair, count in Counter(grouped).items())
