"""Displayed: what every result can do in a notebook. How a result looks there is painted in `pellucid.render.cell`."""

from __future__ import annotations

import tempfile
import webbrowser
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from pellucid.errors import OutputError
from . import notebook
from .formats import FORMATS, cell, encoded

FRAME_HEIGHT = 720  # pixels


@dataclass(frozen=True)
class Cell:
    """What a notebook shows of a result.

    Arguments:
        html: A fragment of HTML without scripts, which takes its colours from the page around it.
        png: The picture, where there is one.
        caption: What the picture shows, in words: its alternative text.
    """

    html: str
    png: bytes = b""
    caption: str = ""


class Displayed:
    """A result that notebooks show by itself, and that `show` opens as an interactive page.

    Arguments:
        kind: What it is: a key of the tables in `pellucid.core.formats`.
    """

    kind: ClassVar[str]

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """One line of text, the picture with its caption as alternative text, and HTML without scripts."""
        data, metadata = {"text/plain": repr(self)}, dict[str, Any]()
        if not notebook.only_text():
            found: Cell = cell(self, self.kind)
            data["text/html"] = found.html
            if found.png:
                data["image/png"] = b64encode(found.png).decode()
                metadata["image/png"] = {"alt": found.caption}
        wanted = (set(data) if include is None else set(include)) - set(exclude or ())
        return {t: part for t, part in data.items() if t in wanted}, {t: part for t, part in metadata.items() if t in wanted}

    def show(self, *, height: int = FRAME_HEIGHT) -> None:
        """The interactive report: below the cell in a notebook, in the browser elsewhere.

        In a notebook it stands in a frame that can run the report's own scripts and nothing else of the page; notebooks that are
        not trusted leave it out.

        Arguments:
            height: Of the frame, in pixels.

        Raises:
            OutputError: there is no report of such a result.
        """
        if ".html" not in FORMATS.get(self.kind, {}):
            known = ", ".join(kind for kind, formats in FORMATS.items() if ".html" in formats)
            do = "Look at it in the notebook, or print it."
            raise OutputError(f"the interactive report of {type(self).__name__}", f"a {self.kind}", f"reports show {known}", do)
        page = encoded(self, self.kind, ".html").decode()
        if notebook.in_notebook():
            notebook.display({"text/plain": f"Interactive report of {self!r}", "text/html": frame(page, repr(self), height)})
        else:
            print(opened(page))


def frame(page: str, title: str, height: int) -> str:
    """A page inside another one: its scripts run, and reach nothing outside."""
    return (
        f'<div><iframe title="{escape(title)}" sandbox="allow-scripts allow-downloads" srcdoc="{escape(page)}" '
        f'style="width:100%; height:{int(height)}px; border:1px solid #8888; border-radius:4px"></iframe></div>'
    )


def opened(page: str) -> str:
    """Write a page to a temporary file and open it in the browser; what happened, in a sentence."""
    path = Path(tempfile.mkdtemp(prefix="pellucid-")) / "report.html"
    path.write_text(page, encoding="utf-8")
    try:
        found = webbrowser.open(path.as_uri())
    except webbrowser.Error:
        found = False
    return f"The report is open in the browser: {path}" if found else f"No browser was found. Open this file in one: {path}"
