"""Inputs as named on the command line: files, or texts typed in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.folders import DATA, PICTURES, files_for, read_text
from pellucid.errors import InputError, ModelError, PictureError
from .files import slug

if TYPE_CHECKING:
    from pellucid.model import Model

WORDS = 5  # of a text that was typed, which name its files

TEXT = click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text to explain, for a model that reads texts.")


@dataclass(frozen=True)
class Input:
    """One input to explain.

    Arguments:
        path: The file it is in, or the name for its results.
        text: The text itself, where it was typed.
    """

    path: str
    text: str | None = None

    @property
    def label(self) -> str:
        """Its name in printed text."""
        return click.format_filename(self.path) if self.text is None else f'"{shorten(self.text)}"'

    @property
    def record(self) -> dict[str, str]:
        """What it was, for programs and for provenance."""
        return {"picture": click.format_filename(self.path)} if self.text is None else {"text": self.text}

    def read(self, model: Model, row: int | None = None) -> Any:
        """What the model is given: the text where it reads texts, the rows where it reads tables, else the path of the file.

        Arguments:
            row: One of the rows of a table, from 0 on; None: all of them.
        """
        from pellucid.model import Columns
        from pellucid.model.readers.rows import as_rows

        if self.text is not None:
            return self.text
        if isinstance(model.preprocess, Columns):
            rows = as_rows(self.path)
            if row is None or 0 <= row < len(rows):
                return rows if row is None else [rows[row]]
            do = f"Ask for one of 0-{len(rows) - 1}."
            raise InputError(f"--row {row} of {self.path}", f"{len(rows)} rows", "there is no such row", do)
        if row is not None:
            raise click.UsageError("--row is for tables: say what their columns are with --columns FILE")
        return read_text(Path(self.path)) if reads_texts(model) else self.path


def named_inputs(paths: Sequence[str], texts: Sequence[str]) -> list[Input]:
    """Every input that is named, the files of folders one by one.

    Raises:
        UsageError: none is.
        PictureError: a folder has nothing to explain, or none of the files is there.
    """
    typed = [Input(slug(" ".join(text.split()[:WORDS])) or "text", text) for text in texts]
    files = expand(paths)
    inputs = [Input(path) for path in files] + typed
    if not inputs:
        raise click.UsageError("Nothing to explain: name a PICTURE or a file of text, or give --text.")
    if files and not typed and not any(Path(file).exists() for file in files):
        do = "Check the path; addresses on the web are not fetched."
        what = "picture" if Path(files[0]).suffix.lower() in PICTURES else "input"
        raise PictureError(f"{what} {click.format_filename(files[0])}", "no file of that name", "it cannot be read", do)
    return inputs


def expand(paths: Sequence[str]) -> list[str]:
    """Every file; of folders their pictures, or where there is none their texts, tables and series, by name."""
    files: list[str] = []
    for path in paths:
        files += _inside(Path(path)) if Path(path).is_dir() else [path]
    return files


def _inside(folder: Path) -> list[str]:
    for kinds in (("pictures",), ("texts", "series")):
        with suppress(InputError, PictureError):
            return [str(file.path) for file in files_for(folder, kinds)]
    raise PictureError(
        f"pictures from {click.format_filename(folder)}", "a folder without any", "there is nothing to explain",
        f"Pictures end in {', '.join(PICTURES)}; texts in .txt, and data in {', '.join(DATA)}.",
    )  # fmt: skip


def reads_texts(model: Model) -> bool:
    """Whether the model says how a text becomes its input."""
    from pellucid.model import Text

    return isinstance(model.preprocess, Text)


def check_reads(model: Model, inputs: Sequence[Input]) -> None:
    """Refuse what the model cannot read before anything is computed."""
    from pellucid.model.readers.text import check_reads_texts

    typed = any(one.text is not None for one in inputs)
    if reads_texts(model) or (hasattr(model.preprocess, "read") and not typed):
        return
    data = next((one.path for one in inputs if Path(one.path).suffix.lower() in DATA), None)
    if data is not None:
        raise ModelError(
            f"{data} for {model.name}", "a model that does not say what rows or series are",
            "numbers mean nothing by themselves",
            "Say it: --columns columns.json for a table, --signal rate=250,unit=mV for a series.",
        )  # fmt: skip
    if typed or any(Path(one.path).suffix.lower() == ".txt" for one in inputs):
        check_reads_texts(model.name, model.preprocess)
    model.check_reads_pictures()


def shorten(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
