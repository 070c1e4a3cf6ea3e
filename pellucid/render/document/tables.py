"""Results that are tables: evaluations, findings of a suite, cards, verifications, reports on trust, tests by hiding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pellucid.catalogue.metrics import meaning
from pellucid.core.numbers import figure
from pellucid.errors import PellucidError
from pellucid.metrics.report.table import HEADS, Table, cells
from pellucid.synth.trust.trust import Trust
from pellucid.verbs.hide import HidingTest
from pellucid.verbs.inspect import Card
from pellucid.verbs.suites.findings import Findings, cells as finding_cells, header, sentences
from pellucid.verbs.verify import Verification
from . import schema
from .command import of_call
from .encoding import number


def evaluation(t: Table) -> schema.Evaluation:
    """Methods by metrics, with intervals."""
    rows = [score(row) for row in t.rows] + [failure(method, metric, error) for (method, metric), error in t.failures.items()]
    table = schema.Cells(head=list(HEADS), rows=[list(cells(row)) for row in t.rows])
    title = t.asked or f"{len(t.methods)} methods, {len(t.metrics)} metrics"
    meant = [f"{name}: {said}." for name in t.metrics if (said := meaning(name))]
    return scores(title, t.advice, [*t.notes, *meant], rows, table, t.provenance)


def scores(
    title: str, sentence: str, notes: Sequence[str], rows: list[schema.Score], table: schema.Cells, provenance: Mapping[str, Any]
) -> schema.Evaluation:
    """An evaluation, its rows once as data, and once as a table in words."""
    figures = [schema.Figure(title=title, caption=sentence, svg=None, src=None, alt=sentence, table=table)]
    made = about("evaluation", title, sentence, notes, (), provenance) | {"figures": figures, "rows": rows, "curves": []}
    return cast(schema.Evaluation, made)


NUMBERS = ("score", "low", "high", "forwards", "seconds", "floor", "ceiling", "rank")


def score(row: Mapping[str, Any]) -> schema.Score:
    """A row of an evaluation or of findings."""
    words = {name: row.get(name) for name in ("method", "metric", "condition", "n", "better")}
    return cast(schema.Score, words | {name: number(row.get(name)) for name in NUMBERS} | {"reason": None})


def failure(method: str, metric: str | None, error: PellucidError) -> schema.Score:
    """What could not be computed, and why."""
    return score({"method": method, "metric": metric or ""}) | {"reason": str(error)}


def findings(f: Findings) -> schema.Evaluation:
    """A suite: methods by conditions and measures."""
    rows = [score(row) for row in f.rows] + [failure(method, None, error) for method, error in f.failures.items()]
    table = schema.Cells(head=list(header(f)), rows=[list(row) for row in finding_cells(f)])
    return scores(f"{f.suite}: {f.asked}", f.verdict, [line for line in sentences(f) if line], rows, table, f.provenance)


def card(c: Card) -> schema.Sections:
    """What a model is, with all its layers."""
    depth = max((layer.name.count(".") + 1 for layer in c.layers), default=1)
    tables = [section("Model", ("what", "fact"), c.facts()), *(section(*table) for table in c.tables(depth))]
    works = sum(verdict.works for verdict in c.methods)
    return sections(
        "card", c.name, f"{c.name}: {works} of {len(c.methods)} methods can explain it.", tables, c.notes, (), c.provenance
    )


def verification(v: Verification) -> schema.Sections:
    """Whether what explanations rely on holds."""
    holding = sum(claim.holds is True for claim in v)
    sentence = f"{v.model}: {holding} of {len(v)} claims hold, {len(v.failures)} fail."
    claims = section("Claims", ("claim", "verdict", "measured", "bound"), v.cells())
    failed = [f"{claim.claim} {claim.verdict}. {claim.do}" for claim in v.failures]
    unsure = [f"{claim.claim} {claim.do}" for claim in v if claim.do and claim.holds is not False]
    return sections("verification", f"Verification of {v.model}", sentence, [claims], unsure, failed, v.provenance)


def trust(t: Trust) -> schema.Sections:
    """How far synthesised pictures can be believed."""
    sentence = "; ".join(f"{verdict.target}: {', '.join(verdict.telling())}" for verdict in t.verdicts[:3])
    title = f"Trust in {len(t)} pictures" if len(t) != 1 else f"Trust in {t[0].target}"
    return sections("trust", title, f"{sentence}.", [section("Pictures", *t.columns())], t.words())


def hiding(h: HidingTest) -> schema.Sections:
    """What hiding a part of the input did."""
    rows = [
        ("score before", figure(h.before)),
        ("score after", figure(h.after)),
        ("fall", figure(h.change)),
        ("share of the input", f"{100 * h.area:.1f} %"),
        ("put in its place", h.imputer),
        ("falls by random parts, 95 %", "none" if h.interval is None else " to ".join(map(figure, h.interval))),
        ("random parts with as large a change", f"{h.larger_controls} of {len(h.controls)}"),
    ]
    rows += [("prediction", " -> ".join(h.predicted))] if h.predicted else []
    return sections(
        "hiding", f"{h.target} without a part", h.sentence(), [section("Result", ("what", "value"), rows)], (), (), h.provenance
    )


def sections(
    kind: str, title: str, sentence: str, tables: list[schema.Section], notes: Sequence[str] = (), warnings: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> schema.Sections:  # fmt: skip
    """A document of tables in words."""
    made = about(kind, title, sentence, notes, warnings, provenance) | {"figures": [], "sections": tables}
    return cast(schema.Sections, made)


def about(
    kind: str, title: str, sentence: str, notes: Sequence[str] = (), warnings: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What every document begins with."""
    return {
        "schema": schema.SCHEMA, "kind": kind, "title": title, "sentence": sentence, "notes": list(notes),
        "warnings": list(warnings), "provenance": dict(provenance or {}), "command": of_call(provenance or {}),
    }  # fmt: skip


def section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> schema.Section:
    return schema.Section(title=title, head=list(head), rows=[[str(cell) for cell in row] for row in rows])
