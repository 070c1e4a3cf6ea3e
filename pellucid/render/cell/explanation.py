"""An explanation, and a comparison of several, in a notebook."""

from __future__ import annotations

import json

from pellucid.core.displayed import Cell
from pellucid.core.formats import encoded
from pellucid.core.numbers import figure as number, percent, with_sign
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.model.modality import Generated, Tokens
from ..comparison import facts
from ..image import framed, model_name, panels
from ..modality.painters import painter
from ..parts.ledger_table import ledger_rows
from ..parts.map import prepare
from ..parts.region_table import region_rows
from ..parts.view import Regions
from . import parts

MOST_SAMPLES, MOST_WORDS = 12, 40


def explanation(e: Explanation) -> Cell:
    """One sample with its caption and tables; of several the sheet, and a table of them."""
    png = encoded(e, "explanation", ".png")
    if len(e) > 1 or isinstance(e.subject, Generated):
        caption = of_several(e)
        return parts.sheet(png, caption, each_sample(e) + origin(e))
    return Cell("".join([parts.title(e.equation(), about(e)), body(e), *tables(e)]), parts.small_png(png), e.caption())


def body(e: Explanation) -> str:
    """The panels over the caption; a text in its own letters, so that it can be searched and copied."""
    drawn, html = prepare(e), painter(e).html
    if isinstance(e.subject, Tokens) and html is not None:
        return f'{html(e, drawn)}<p dir="auto">{caption(e)}</p>'
    return parts.figure(framed(panels(e, drawn)), e.caption(), caption(e))


def caption(e: Explanation) -> str:
    """The words of `e.caption()`, warnings strong and notes small."""
    warnings = [f"<strong>{parts.words(warning)}</strong>" for warning in e.warnings()]
    return " ".join([parts.words(e.sentence()), *warnings, *(f"<small>{parts.words(note)}</small>" for note in e.notes)])


def about(e: Explanation) -> str:
    """Method, model and place."""
    return " · ".join(filter(None, (e.method, model_name(e.provenance), f"at {e.at}" if e.at else "")))


def tables(e: Explanation) -> list[str]:
    """What can be unfolded below one sample."""
    classes = [(label or str(index), percent(share)) for index, label, share in e.classes]
    ledger = [] if e.ledger is None else ledger_rows(e.ledger, e.sinks())
    return [
        parts.folded("What the model says", ("class", "probability"), classes, numbers=1),
        parts.folded("Where the score went", ("what", "where", "relevance"), ledger, numbers=1),
        parts.folded("Where the evidence lies", ("evidence", "place", "share"), region_rows(regions(e)), numbers=1),
        parts.folded("Columns", ("column", "cell", "value"), columns(e), numbers=1),
        origin(e),
    ]


def regions(e: Explanation) -> Regions:
    """Where evidence lies together, on pictures."""
    return e.regions() if e.subject is None and e.values.ndim > 2 else ()


def columns(e: Explanation) -> list[tuple[str, str, str]]:
    """Every column of a row, the strongest first."""
    if e.subject is None or e.subject.kind != "table":
        return []
    found = e.subject.to_dict(e.heat(), 0)["columns"]
    return [(one["column"], one["cell"], with_sign(one["value"], signed=e.signed)) for one in found]


def origin(e: Explanation) -> str:
    """What it takes to repeat this."""
    rows = [(name, value if isinstance(value, str) else json.dumps(value, default=str)) for name, value in e.provenance.items()]
    return parts.folded("How to repeat this", ("", ""), rows)


def of_several(e: Explanation) -> str:
    """What is shown of several samples, in words."""
    some = [f"{n + 1}: {one.equation()}" for n, one in enumerate(e) if n < MOST_SAMPLES]
    left = f"; and {len(e) - MOST_SAMPLES} more" if len(e) > MOST_SAMPLES else ""
    what = "new tokens of a generated text" if isinstance(e.subject, Generated) else "samples"
    return f"{len(e)} {what} by {e.method}. {'; '.join(some)}{left}."


def each_sample(e: Explanation) -> str:
    """A line for every sample."""
    rows = [(str(n + 1), one.target, one.caption(), number(float(one.output))) for n, one in enumerate(e) if n < parts.MOST_ROWS]
    return parts.folded("Every sample", ("sample", "target", "caption", "score"), rows, numbers=1)


def comparison(c: Comparison) -> Cell:
    """The sheet, a line for every method, and how far the methods agree."""
    text = f"{', '.join(c.names)} asked for {c.any.target}, {number(float(c.any.output[0]))}, side by side."
    rows = [(name, *told(c, name)) for name in c.names]
    pairs = [
        (pair.first, pair.second, number_text(pair.correlation), number_text(pair.overlap))
        for pair in (c.agreement() if len(c.explanations) > 1 else ())
    ]
    heads = ("first", "second", "rank correlation", "overlap of regions")
    tables = parts.folded("Methods", ("method", "what it says", "seconds"), rows, numbers=1)
    tables += parts.folded("How far the methods agree", heads, pairs, numbers=2)
    return parts.sheet(encoded(c, "comparison", ".png"), text, tables)


def told(c: Comparison, name: str) -> tuple[str, str]:
    """What one method says, or why it could not, and how long it took."""
    if name in c.failures:
        return str(c.failures[name]), "–"
    said = [text for text, kind in facts(c[name][0], c.seconds[name]) if kind != "note"]
    return " ".join(said) or c[name].headline(), f"{c.seconds[name]:.2g}"


def number_text(value: float | None) -> str:
    """Two decimals, or a dash where there is no number."""
    return "-" if value is None else f"{value:.2f}"
