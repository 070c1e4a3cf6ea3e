"""Results that are numbers and words, in a notebook: evaluations, cards, ledgers, and any noun by its fields."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from typing import Any

from pellucid.core.displayed import Cell
from pellucid.core.one_line import brief
from pellucid.errors import PellucidError
from pellucid.explanation.attribution import Attribution
from pellucid.explanation.ledger import Ledger
from pellucid.metrics.report.table import HEADS, Table, cells
from pellucid.model import Model
from pellucid.model.readers.reader import describe
from pellucid.synth.trust.trust import Trust
from pellucid.verbs.hide import HidingTest
from pellucid.verbs.inspect import Card
from pellucid.verbs.suites.findings import Findings, cells as finding_cells, header, sentences
from pellucid.verbs.verify import Verification
from ..parts.ledger_table import ledger_rows
from . import parts

MOST_LABELS, MOST_SAMPLES = 200, 5


def evaluation(t: Table) -> Cell:
    """The scores, with the advice that follows and what has to be known."""
    rows = [cells(row) for row in t.rows]
    lines = [parts.title(f"{len(t.methods)} methods by {len(t.metrics)} metrics", t.asked)]
    lines += [parts.table(HEADS, rows, numbers=len(HEADS) - 2), *map(parts.paragraph, filter(None, [_advice(t)]))]
    return Cell("".join(lines) + parts.folded("Notes", ("",), [(note,) for note in t.notes]))


def _advice(t: Table) -> str:
    """What the scores advise; nothing where there are none."""
    try:
        return t.advice if t.rows else ""
    except PellucidError:
        return ""


def findings(f: Findings) -> Cell:
    """The scores under every condition, the verdict, controls and notes."""
    heads = header(f)
    told = [(line,) for line in sentences(f) if line]
    table = parts.table(heads, finding_cells(f), numbers=len(heads) - 2)
    return Cell(
        parts.title(f.suite, f.asked) + table + parts.paragraph(f.verdict) + parts.folded("Controls and notes", ("",), told)
    )


def card(c: Card) -> Cell:
    """What is known of the model, and its layers, rules and methods."""
    facts = parts.table(("", ""), [tuple(fact) for fact in c.facts()])
    tables = "".join(parts.folded(name, heads, rows) or parts.paragraph(name) for name, heads, rows in c.tables())
    return Cell(parts.title(c.name, c.source) + facts + tables)


def verification(v: Verification) -> Cell:
    """Every claim with what was measured, and what follows."""
    holding = sum(claim.holds is True for claim in v.claims)
    head = parts.title(f"{holding} of {len(v)} claims hold", v.model)
    table = parts.table(("claim", "verdict", "measured", "bound"), v.cells(), numbers=2)
    return Cell(head + table + "".join(map(parts.paragraph, v.advice())))


def trust(t: Trust) -> Cell:
    """The columns that were measured, and what they mean."""
    heads, rows = t.columns()
    table = parts.table(heads, rows, numbers=len(heads) - 1)
    return Cell(table + parts.folded("What the columns mean", ("",), [(line,) for line in t.words()], opened=True))


def model(m: Model) -> Cell:
    """What it is, how it reads inputs, its classes and what was assumed."""
    how = [] if m.preprocess is None else [describe(m.preprocess)]
    facts = [("source", m.source), *how, *([("sha256", m.fingerprint)] if m.fingerprint else []), *(("note", n) for n in m.notes)]
    labels = [(str(number), label) for number, label in enumerate(m.labels or ())][:MOST_LABELS]
    classes = parts.folded(f"Classes: {len(m.labels or ()):,}", ("number", "name"), labels)
    return Cell(
        parts.title(m.name, repr(m)) + parts.table(("", ""), facts) + classes + parts.paragraph("pl.inspect(model) says more.")
    )


def ledger(one: Ledger) -> Cell:
    """Where the relevance of the first samples went."""
    count = len(one.seed)
    lines = []
    for sample in range(min(count, MOST_SAMPLES)):
        head = parts.title(one.sentence(sample), f"sample {sample + 1} of {count}" if count > 1 else "")
        lines.append(head + parts.folded("Entries", ("what", "where", "relevance"), ledger_rows(one[sample]), numbers=1))
    more = [parts.paragraph(f"The first {MOST_SAMPLES} of {count} samples are shown.")] if count > MOST_SAMPLES else []
    return Cell("".join([*lines, *more]))


def attribution(one: Attribution) -> Cell:
    """The bare result of a method: what it holds, its ledger and notes."""
    notes = [(note,) for note in (*one.warnings, *one.lost, *one.notes)]
    books = "" if one.ledger is None else ledger(one.ledger).html
    return Cell(fields(one).html + books + parts.folded("Notes", ("",), notes))


def hiding_test(test: HidingTest) -> Cell:
    """What hiding a part did, in words and numbers."""
    return Cell(parts.paragraph(test.sentence()) + fields(test).html)


def fields(noun: Any) -> Cell:
    """Any frozen dataclass, or any other noun by its one line."""
    if not hasattr(noun, "__dataclass_fields__"):
        return Cell(parts.paragraph(repr(noun)))
    rows = [(one.name, brief(getattr(noun, one.name))) for one in dataclass_fields(noun) if one.repr]
    return Cell(parts.title(type(noun).__name__) + parts.table(("", ""), rows))
