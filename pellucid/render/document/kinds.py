"""`document`: any result as plain JSON, which one viewer paints in a page, in a report and in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pellucid.core.files import finite
from pellucid.errors import InputError
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.explanations import Explanations
from pellucid.explanation.overview import Chart, Confusion, Overview
from pellucid.metrics.report.table import Table
from pellucid.synth.examples.example import Examples
from pellucid.synth.maximized import Maximized
from pellucid.synth.trust.trust import Trust
from pellucid.verbs.concepts import Concepts
from pellucid.verbs.hide import HidingTest
from pellucid.verbs.inspect import Card
from pellucid.verbs.suites.findings import Findings
from pellucid.verbs.verify import Verification
from . import charts, pictures, schema, tables
from .report import of_comparison_or_batch, of_explanation, of_explanations, report

#: Every kind of result, and what writes its document: a new one is its function, and a line here.
KINDS: dict[type, Callable[[Any], Any]] = {
    Explanation: of_explanation,
    Explanations: of_explanations,
    Comparison: of_comparison_or_batch,
    Concepts: pictures.concepts,
    Maximized: pictures.maximize,
    Examples: pictures.examples,
    Table: tables.evaluation,
    Findings: tables.findings,
    Card: tables.card,
    Verification: tables.verification,
    Trust: tables.trust,
    HidingTest: tables.hiding,
    Chart: charts.chart,
    Overview: charts.overview,
    Confusion: charts.confusion,
}


def document(result: Any) -> dict[str, Any]:
    """A result as plain data for JSON, by the schema in docs/document.md.

    Numbers that are not finite are None. Pictures are inside, as addresses; maps are deflated bytes in base64.

    Arguments:
        result: A result of one of the verbs, or a list of results: a report, in which explanations of the same picture, text or
            row are one case.

    Raises:
        InputError: it is no result of pellucid.

    Example:
        >>> import torch
        >>> e = Explanation(torch.tensor([[[[2.0, -1.0]]]]), torch.tensor([1.5]), "logit 0", "gradient_x_input", True)
        >>> one = document(e)
        >>> one["kind"], one["title"], one["layers"][0]["values"]
        ('case', 'logit 0 = 1.50', [2.0, -1.0])
    """
    made = report(result, written) if isinstance(result, list | tuple) else written(result)
    plain: dict[str, Any] = finite(made)
    return plain


def written(result: Any) -> schema.Document:
    """The document of one result."""
    for kind, write in KINDS.items():
        if isinstance(result, kind):
            made: schema.Document = write(result)
            return made
    if hasattr(result, "save") and callable(getattr(result, "document", None)):  # results of rooms above write their own
        return cast("schema.Document", result.document())
    found = f"an object of type {type(result).__name__}"
    known = ", ".join(kind.__name__ for kind in KINDS)
    raise InputError("A document", found, "it is no result", f"Pass a result of one of the verbs ({known}), or a list of them.")
