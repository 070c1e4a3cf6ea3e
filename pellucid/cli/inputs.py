"""What is to be explained, as it stands on the command line: files, or texts typed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.errors import InputError, ModelError
from .files import slug

if TYPE_CHECKING:
    from pellucid.model import Model

WORDS = 5  # of a text that was typed, which name its files
LARGEST = 4_000_000  # bytes of a text file
DATA = (".csv", ".tsv", ".npy", ".wav")


@dataclass(frozen=True)
class Given:
    """One thing to explain.

    Arguments:
        path: The file it is in, or what its results are named after.
        text: The text itself, where it was typed.
    """

    path: str
    text: str | None = None

    @property
    def label(self) -> str:
        """What it is called in what is printed."""
        return click.format_filename(self.path) if self.text is None else f'"{shortened(self.text)}"'

    def read(self, model: Model, row: int | None = None) -> Any:
        """What the model is given: the text where it reads texts, the rows where it reads tables, else the path of the file.

        Arguments:
            row: Which of the rows, from 0 on; None: all of them.
        """
        from pellucid.model import Columns
        from pellucid.model.readers.rows import listed

        if self.text is not None:
            return self.text
        if isinstance(model.preprocess, Columns):
            return chosen(listed(self.path), row, self.path)
        if row is not None:
            raise click.UsageError("--row is for tables: say what their columns are with --columns FILE")
        return text_of(Path(self.path)) if reads_texts(model) else self.path


def given(paths: Sequence[str], texts: Sequence[str]) -> list[Given]:
    """Everything that is asked about.

    Raises:
        UsageError: nothing is.
    """
    made = [Given(path) for path in paths] + [Given(slug(" ".join(text.split()[:WORDS])) or "text", text) for text in texts]
    if not made:
        raise click.UsageError("Nothing to explain: name a PICTURE or a file of text, or give --text.")
    return made


def chosen(rows: list[dict[str, Any]], row: int | None, path: str) -> list[dict[str, Any]]:
    """One of the rows of a table, or all."""
    if row is None:
        return rows
    if not 0 <= row < len(rows):
        raise InputError(
            f"--row {row} of {path}", f"{len(rows)} rows", "there is no such row", f"Ask for one of 0-{len(rows) - 1}."
        )
    return [rows[row]]


def reads_texts(model: Model) -> bool:
    """Whether the model says how a text becomes its input."""
    from pellucid.model import Text

    return isinstance(model.preprocess, Text)


def check_reads(model: Model, asked: Sequence[Given]) -> None:
    """Refuse before the first one what the model cannot read."""
    from pellucid.model.readers.text import check_reads_texts
    from .model_options import check_reads_pictures

    if reads_texts(model):
        return
    if hasattr(model.preprocess, "read") and all(one.text is None for one in asked):
        return
    data = next((one.path for one in asked if Path(one.path).suffix.lower() in DATA), None)
    if data is not None:
        raise ModelError(
            f"{data} for {model.name}", "a model that does not say what rows or series are",
            "numbers mean nothing by themselves",
            "Say it: --columns columns.json for a table, --signal rate=250,unit=mV for a series.",
        )  # fmt: skip
    if any(one.text is not None or Path(one.path).suffix.lower() == ".txt" for one in asked):
        check_reads_texts(model.name, model.preprocess)
    check_reads_pictures(model)


def text_of(path: Path) -> str:
    """What stands in a text file.

    Raises:
        InputError: it cannot be read, is no text, or far too long.
    """
    asked, do = f"the text in {path}", "Name a text file in UTF-8, or give --text."
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(
                asked, f"{path.stat().st_size:,} bytes", "no model reads that much at once", "Cut out what is meant."
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(asked, error.strerror or str(error), "it cannot be read", do) from None
    except UnicodeDecodeError as error:
        raise InputError(
            asked, f"a byte that is no UTF-8, at {error.start}", "it is no text, or of another encoding", do
        ) from None


def shortened(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
