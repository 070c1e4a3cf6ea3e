"""`report`: several results as one document, and as one file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pellucid.core.displayed import Displayed
from pellucid.core.formats import save
from pellucid.errors import InputError, OutputError
from pellucid.explanation.explanation import Explanation
from ..document import SCHEMA, document
from .merge import merged
from .page import flat, html
from .reading import read


@dataclass(frozen=True, eq=False, repr=False)
class Report(Displayed):
    """Results, put together.

    Arguments:
        document: What they say, as plain data: see docs/document.md.
    """

    kind: ClassVar[str] = "report"

    document: dict[str, Any]

    def __len__(self) -> int:
        """How many pages it has."""
        return len(flat(self.document))

    def __repr__(self) -> str:
        title = self.document["title"]
        short = title if len(title) <= 60 else f"{title[:59]}…"
        return f"Report({short}, {len(self)} page{'s' if len(self) > 1 else ''})"

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (.html or .json), whole or not at all; pages take `script=False`."""
        return save(self, path, "report", **options)


def report(results: Any, path: str | os.PathLike[str] | None = None, *, title: str | None = None, sentence: str = "") -> Report:
    """Results as one report: a page for each input, with a layer for every answer about it.

    Arguments:
        results: One or more of what the verbs return, of files they were saved to (.safetensors, .html, .json documents, .png),
            or of documents. Explanations of the same input by the same model become one page.
        path: Where to write it; None: nowhere.
        title: Of the report.
        sentence: What stands below the title.

    Raises:
        InputError: there are no results.
        OutputError: a file cannot be read, or the report cannot be written.

    Example:
        >>> import torch
        >>> import pellucid as pl
        >>> e = pl.explain(torch.nn.Linear(3, 2).eval(), torch.ones(1, 3), target=1, method="gradient")
        >>> pl.report([e], title="A row")
        Report(A row, 1 page)
    """
    every = [results] if single(results) else list(results)
    if not every:
        raise InputError("a report", "no results", "there is nothing to show", "Pass explanations, or files that hold some.")
    read_in = [loaded(one) for one in every]
    live = [one for one in read_in if isinstance(one, Explanation)]
    made = [document(live)] if live else []  # together, so that layers of one input share its room
    made += [as_document(one) for one in read_in if not isinstance(one, Explanation)]
    pages = merged([page for one in made for page in flat(one)])
    whole = Report(joined(pages, title, sentence))
    if path is not None:
        whole.save(path)
    return whole


def single(results: Any) -> bool:
    """Whether it is one result, and no collection of them."""
    return isinstance(results, str | os.PathLike | Mapping) or hasattr(results, "save") or not isinstance(results, Iterable)


def loaded(result: Any) -> Any:
    """What a file holds, if it is one: an explanation, or a document of which a page can be made."""
    if not isinstance(result, str | os.PathLike):
        return result
    made = read(Path(result))
    return made if isinstance(made, Explanation) else shown(made, f"report {os.fspath(result)}")


def as_document(result: Any) -> dict[str, Any]:
    """A result or a document as a document."""
    if isinstance(result, Report):
        return result.document
    return dict(result) if isinstance(result, Mapping) else document(result)


def shown(made: dict[str, Any], asked: str) -> dict[str, Any]:
    """A document from a file, if a page can be made of it.

    Raises:
        OutputError: its parts do not belong together.
    """
    try:
        html(made, script=False)
    except Exception as error:  # whatever a file made by someone else leads to
        found = f"parts that do not belong together ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        do = "Save the result again."
        raise OutputError(asked, found, "it is damaged, or of another version", do) from None
    return made


def joined(pages: list[dict[str, Any]], title: str | None, sentence: str) -> dict[str, Any]:
    """One document of all pages; a single page stays as it is, under the title."""
    if len(pages) == 1:
        return pages[0] | ({"title": title} if title else {}) | ({"sentence": sentence} if sentence else {})
    return {
        "schema": SCHEMA, "kind": "report", "title": title or f"{len(pages)} results", "sentence": sentence, "notes": [],
        "warnings": [], "provenance": {}, "command": {"cli": None, "python": ""}, "figures": [], "pages": pages, "omitted": 0,
    }  # fmt: skip
