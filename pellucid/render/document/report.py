"""Reports: several documents in one, a page for each; explanations of the same picture, text or row become one case."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from pellucid.core.numbers import figure
from pellucid.errors import InputError
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.explanations import Explanations
from pellucid.model.modality import Generated
from ..grid import PAGE, grid
from ..modality.generated import prompts
from ..parts.map import prepare
from . import schema
from .case import Answer, of_answers, of_comparison
from .command import UNKNOWN, command
from .encoding import address
from .subject import subject

MOST_PAGES = 64  # samples of one batch
LARGEST_GRID = 1400  # pixels along its longer side


def of_explanation(e: Explanation) -> schema.Case | schema.Report:
    """One sample, or one generated text, as a case; several as a report with a page for each."""
    samples = samples_of(e)
    if len(samples) == 1:
        return of_answers(samples)
    shown = samples[:MOST_PAGES]
    pages = [numbered(of_answers([one]), n, len(samples)) for n, one in enumerate(shown, 1)]
    report = made(
        pages, f"{e.method} -> {e.target if not e.targets else f'{len(samples)} samples'}", len(samples) - len(shown), e
    )
    report["figures"] = [] if isinstance(e.subject, Generated) else [grid_figure(e)]
    return report


def grid_figure(e: Explanation) -> schema.Figure:
    """The samples of a batch beside one another, as a picture of it shows them."""
    few = f"The first {PAGE} of {len(e)} samples" if len(e) > PAGE else f"{len(e)} samples"
    words = f"{few} by {e.method}, on one scale."
    rows = [[one.names[0] if one.names else str(n), one.target, figure(float(one.output))] for n, one in enumerate(e, 1)]
    return schema.Figure(
        title="Side by side", caption=words, svg=None, src=address(grid(e).image(), LARGEST_GRID), alt=words,
        table=schema.Cells(head=["sample", "target", "score"], rows=rows[:PAGE]),
    )  # fmt: skip


def of_explanations(many: Explanations) -> schema.Report:
    """A folder or a data loader: its first samples, each on a scale of its own."""
    shown = list(islice((one for e in many for one in samples_of(e)), MOST_PAGES))
    if not shown:
        raise InputError("A document", "no explanation", "there is nothing to show", "Check the data.")
    count = max(many.count or 0, len(shown))
    pages = [numbered(of_answers([one]), n, count) for n, one in enumerate(shown, 1)]
    report = made(pages, f"{many.method} of {many.source}", count - len(shown))
    report["command"] = schema.Command(cli=None, python=UNKNOWN)
    return report


def of_comparison_or_batch(c: Comparison) -> schema.Case | schema.Report:
    """A comparison of one sample as a case; of several as a report."""
    if len(c.any) == 1 or len(prompts(c.any)) == 1:
        return of_comparison(c)
    if isinstance(c.any.subject, Generated):
        do = "Compare the methods prompt by prompt."
        raise InputError("A document", f"a comparison of {len(prompts(c.any))} prompts", "a page shows one of them", do)
    count = len(c.any)
    shown = range(min(count, MOST_PAGES))
    pages = [numbered(of_comparison(c.take(n)), n + 1, count) for n in shown]
    return made(pages, f"{len(c)} methods, {count} samples", count - len(shown), c.any)


def samples_of(e: Explanation) -> list[Answer]:
    """Every sample, or every generated text, as an answer of its own, those of a batch on one scale."""
    if isinstance(e.subject, Generated):
        return [Answer(one, e.method) for one in prompts(e) or list(e)]
    scale = prepare(e, scale="shared").scale if len(e) > 1 else None
    return [Answer(one, e.method, scale=scale) for one in e]


def numbered(page: schema.Case, number: int, count: int) -> schema.Case:
    """A page with its name in its title, or its number."""
    page["title"] = f"{page['name'] or f'sample {number} of {count}'}: {page['title']}"
    return page


def report(results: Sequence[Any], write: Callable[[Any], schema.Document]) -> schema.Document:
    """The documents of several results. Explanations of the same picture, text, row or series by the same model are one case.

    Arguments:
        write: Makes the document of any other result.
    """
    if not results:
        raise InputError("A report", "no result", "there is nothing to show", "Pass one result at least.")
    pages: list[Any] = []  # documents, or answers that belong together
    groups: dict[str, list[Answer]] = {}
    omitted = 0
    for result in results:
        if not isinstance(result, Explanation):
            pages.append(write(result))
            continue
        samples = samples_of(result)
        omitted += max(0, len(samples) - MOST_PAGES)
        for n, one in enumerate(samples[:MOST_PAGES]):
            key = identity(one.e) or f"{len(pages)} {n}"
            if key not in groups:
                pages.append(groups.setdefault(key, []))
            groups[key].append(one)
    documents = [of_answers(page) if isinstance(page, list) else page for page in pages]
    return documents[0] if len(documents) == 1 else made(documents, f"{len(documents)} results", omitted)


def identity(e: Explanation) -> str:
    """What tells one sample from another: model and subject; "" where the subject is not known, as that of a bare tensor."""
    what = subject(e)
    if what["kind"] in ("values", "inputs") or (what["kind"] == "picture" and what["src"] is None):
        return ""
    model = e.provenance.get("model", {})
    named = {name: model.get(name) for name in ("name", "fingerprint")} if isinstance(model, dict) else model
    return json.dumps([named, what], default=str)


def made(pages: Sequence[Any], title: str, omitted: int, e: Explanation | None = None) -> schema.Report:
    """A report of pages."""
    left = [f"The first {len(pages)} of {len(pages) + omitted} samples are shown."] if omitted else []
    headlines = "; ".join(page["title"] for page in pages[:3]) + (f"; and {len(pages) - 3} more" if len(pages) > 3 else "")
    return schema.Report(
        schema=schema.SCHEMA, kind="report", title=title, sentence=f"{len(pages)} pages: {headlines}.", notes=[], warnings=left,
        provenance={} if e is None else dict(e.provenance),
        command=schema.Command(cli=None, python="# each page says how to recompute it") if e is None else command(e),
        figures=[], pages=list(pages), omitted=omitted,
    )  # fmt: skip
