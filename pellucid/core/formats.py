"""The one table of file formats: for every kind of result, the function that turns it into a file's content, by suffix.

How content becomes a file is in `files.py`.
"""

from __future__ import annotations

import os
from functools import reduce
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pellucid.errors import OutputError
from .files import content, write

RESULT_PAGE = "pellucid.render.report.results:result_page"
JPEG, PDF = "pellucid.core.raster:jpeg", "pellucid.core.raster:pdf"

#: Kind of result -> suffix -> "module:function", which takes the result and options by keyword, and returns bytes, text, or plain
#: data for JSON; what follows after " > " is given what comes before. Painters live in
#: rooms above: they are named here, and imported when something is saved.
FORMATS: dict[str, dict[str, str]] = {
    "explanation": {
        ".safetensors": "pellucid.explanation.serialization:to_safetensors",
        ".json": "pellucid.explanation.serialization:summary",
        ".png": "pellucid.render:png",
        ".html": "pellucid.render.report.results:page",
        ".svg": "pellucid.render:svg",
        ".txt": "pellucid.render.terminal:text",
        ".jpg": f"pellucid.render:png > {JPEG}",
        ".pdf": f"pellucid.render:png > {PDF}",
        ".npy": "pellucid.explanation.arrays:to_npy",
        ".csv": "pellucid.explanation.arrays:to_csv",
    },
    "comparison": {
        ".png": "pellucid.render:comparison_png",
        ".html": "pellucid.render.report.results:comparison_page",
        ".json": "pellucid.explanation.comparison:to_dict",
        ".jpg": f"pellucid.render:comparison_png > {JPEG}",
        ".pdf": f"pellucid.render:comparison_png > {PDF}",
    },
    "concepts": {
        ".html": RESULT_PAGE,
        ".png": "pellucid.render.concepts:png",
        ".json": "pellucid.verbs.concepts:Concepts.document",
        ".txt": "pellucid.verbs.concepts:Concepts.text",
        ".jpg": f"pellucid.render.concepts:png > {JPEG}",
        ".pdf": f"pellucid.render.concepts:png > {PDF}",
    },
    "examples": {
        ".html": RESULT_PAGE,
        ".png": "pellucid.render.examples:png",
        ".json": "pellucid.synth.examples.example:Examples.document",
        ".jpg": f"pellucid.render.examples:png > {JPEG}",
        ".pdf": f"pellucid.render.examples:png > {PDF}",
    },
    "maximized": {
        ".html": RESULT_PAGE,
        ".png": "pellucid.render.maximized:png",
        ".json": "pellucid.synth.maximized:document",
        ".safetensors": "pellucid.synth.maximized:to_safetensors",
        ".jpg": f"pellucid.render.maximized:png > {JPEG}",
        ".pdf": f"pellucid.render.maximized:png > {PDF}",
    },
    "trust": {
        ".html": RESULT_PAGE,
        ".json": "pellucid.synth.trust.trust:Trust.document",
        ".md": "pellucid.synth.trust.trust:to_markdown",
        ".txt": "pellucid.synth.trust.trust:Trust.__str__",
    },
    "prior": {".safetensors": "pellucid.synth.generator.store:to_safetensors"},
    "table": {
        ".html": RESULT_PAGE,
        ".csv": "pellucid.metrics.report.table:to_csv",
        ".json": "pellucid.metrics.report.table:to_dict",
        ".md": "pellucid.metrics.report.table:to_markdown",
    },
    "hiding test": {".html": RESULT_PAGE, ".json": "pellucid.render.document:document"},
    "card": {".html": RESULT_PAGE, ".json": "pellucid.render.document:document"},
    "verification": {".html": RESULT_PAGE, ".json": "pellucid.render.document:document"},
    "audit": {".html": "pellucid.job.audit.page:page", ".json": "pellucid.job.audit.audit:Audit.document"},
    "report": {".html": "pellucid.render.report.results:report_page", ".json": "pellucid.render.report.results:report_document"},
    "chart": {
        ".html": RESULT_PAGE,
        ".png": "pellucid.render.overview:png",
        ".svg": "pellucid.render.overview:svg",
        ".json": "pellucid.explanation.overview.chart:to_dict",
        ".csv": "pellucid.explanation.overview.chart:to_csv",
        ".txt": "pellucid.render.overview:text",
        ".jpg": f"pellucid.render.overview:png > {JPEG}",
        ".pdf": f"pellucid.render.overview:png > {PDF}",
    },
    "overview": {
        ".html": RESULT_PAGE,
        ".png": "pellucid.render.overview.chart:sheet_png",
        ".json": "pellucid.render.overview.chart:all_data",
        ".txt": "pellucid.render.overview.chart:all_texts",
        ".jpg": f"pellucid.render.overview.chart:sheet_png > {JPEG}",
        ".pdf": f"pellucid.render.overview.chart:sheet_png > {PDF}",
    },
    "confusion": {
        ".html": RESULT_PAGE,
        ".png": "pellucid.explanation.overview:Confusion.chart > pellucid.render.overview:png",
        ".svg": "pellucid.explanation.overview:Confusion.chart > pellucid.render.overview:svg",
        ".json": "pellucid.explanation.overview:Confusion.chart > pellucid.explanation.overview.chart:to_dict",
        ".csv": "pellucid.explanation.overview:Confusion.chart > pellucid.explanation.overview.chart:to_csv",
        ".txt": "pellucid.explanation.overview:Confusion.chart > pellucid.render.overview:text",
        ".jpg": f"pellucid.explanation.overview:Confusion.chart > pellucid.render.overview:png > {JPEG}",
        ".pdf": f"pellucid.explanation.overview:Confusion.chart > pellucid.render.overview:png > {PDF}",
    },
    "findings": {
        ".html": RESULT_PAGE,
        ".csv": "pellucid.verbs.suites.findings:to_csv",
        ".json": "pellucid.verbs.suites.findings:to_dict",
        ".md": "pellucid.verbs.suites.findings:to_markdown",
    },
}

#: Kind of result -> "module:function", which takes the result and returns the `Cell` that a notebook shows.
CELLS: dict[str, str] = {
    "explanation": "pellucid.render.cell.explanation:explanation",
    "comparison": "pellucid.render.cell.explanation:comparison",
    "concepts": "pellucid.render.cell.units:concepts",
    "maximized": "pellucid.render.cell.units:maximized",
    "examples": "pellucid.render.cell.units:examples",
    "example": "pellucid.render.cell.units:example",
    "trust": "pellucid.render.cell.tables:trust",
    "table": "pellucid.render.cell.tables:evaluation",
    "findings": "pellucid.render.cell.tables:findings",
    "card": "pellucid.render.cell.tables:card",
    "verification": "pellucid.render.cell.tables:verification",
    "model": "pellucid.render.cell.tables:model",
    "ledger": "pellucid.render.cell.tables:ledger",
    "attribution": "pellucid.render.cell.tables:attribution",
    "hiding test": "pellucid.render.cell.tables:hiding_test",
    "chart": "pellucid.render.cell.overview:chart",
    "overview": "pellucid.render.cell.overview:overview",
    "confusion": "pellucid.render.cell.overview:confusion",
    "report": "pellucid.render.cell.report:report",
    "audit": "pellucid.job.audit.page:cell",
    "explanations": "pellucid.render.cell.tables:fields",
    "region": "pellucid.render.cell.tables:fields",
    "concept": "pellucid.render.cell.tables:fields",
    "agreement": "pellucid.render.cell.tables:fields",
}

#: Kind of result -> "module:function", which takes the result and returns a data frame of pandas.
FRAMES: dict[str, str] = {"explanation": "pellucid.explanation.arrays:to_frame"}

#: Kind of result -> "module:function", which takes the result and draws it into an axis of matplotlib.
PLOTS: dict[str, str] = {
    "explanation": "pellucid.render.plot:explanation",
    "table": "pellucid.render.plot:evaluation",
    "maximized": "pellucid.render.plot:maximized",
}

#: Kind of result -> "module:function" that reads a file of it back.
READERS: dict[str, str] = {"explanation": "pellucid.explanation.serialization:load_explanation"}


def save(result: Any, path: str | os.PathLike[str], kind: str, **options: Any) -> Path:
    """Write a result in the format that the suffix of `path` names, whole or not at all.

    Arguments:
        kind: What the result is: a key of `FORMATS`.
        options: Of the format.

    Raises:
        OutputError: the suffix is unknown, the format has no such option, or the file cannot be written.
    """
    path = Path(path)
    formats = FORMATS[kind]
    if path.suffix.lower() not in formats:
        found = f'suffix "{path.suffix}"' if path.suffix else "no suffix"
        raise OutputError(f"save to {path}", found, "the suffix chooses the format", f"Use one of {', '.join(formats)}.")
    encode, *others = map(resolve_name, formats[path.suffix.lower()].split(" > "))
    known = list(signature(encode).parameters)[1:]
    unknown = next((name for name in options if name not in known), None)
    if unknown is not None:
        do = f"Leave it out; what {path.suffix} takes: {', '.join(known) or 'none'}."
        raise OutputError(f"save to {path}", f"{unknown}={options[unknown]!r}", "the format has no such option", do)
    return write(path, reduce(lambda data, further: further(data), others, encode(result, **options)))


def load(path: str | os.PathLike[str], kind: str) -> Any:
    """The result of that kind in a file."""
    return resolve_name(READERS[kind])(path)


def encoded(result: Any, kind: str, suffix: str) -> bytes:
    """What `save` would write to a file of that suffix."""
    return content(reduce(lambda data, encode: encode(data), map(resolve_name, FORMATS[kind][suffix].split(" > ")), result))


def cell(result: Any, kind: str) -> Any:
    """What a notebook shows of a result, see `pellucid.core.displayed.Cell`; of a kind without a painter, its fields."""
    return resolve_name(CELLS.get(kind, "pellucid.render.cell.tables:fields"))(result)


def frame(result: Any, kind: str) -> Any:
    """The data frame of a result."""
    return resolve_name(FRAMES[kind])(result)


def plot(result: Any, kind: str, ax: Any = None, **options: Any) -> Any:
    """Draw a result into an axis of matplotlib; without one, into the axis that matplotlib calls the current one."""
    return resolve_name(PLOTS[kind])(result, ax, **options)
