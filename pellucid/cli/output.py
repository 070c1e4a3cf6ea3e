"""What is printed on stdout: classes, captions, maps drawn with characters, tables, and lines of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.numbers import percent
from pellucid.errors.printable import printable
from .arguments import translated
from .errors import wants_colour

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from pellucid.model import Model

MOST_SAMPLES = 5
MARGIN_ROWS = 12  # of a terminal, for the text around a map

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text, one line per result.")


def echo(text: str = "", *, bold: bool = False) -> None:
    """Lines on stdout, with nothing in them that commands a terminal, wherever their words are from."""
    text = printable(text, lines=True)
    click.echo(click.style(text, bold=True) if bold else text)


def print_explanation(e: Explanation) -> None:
    """The best classes, the map in a terminal, and the caption."""
    if print_generated(e):
        return
    print_classes(e)
    for sample in range(min(len(e), MOST_SAMPLES)):
        if sys.stdout.isatty():
            click.echo(draw(e, sample))  # the only place that commands a terminal: its colours
        else:
            echo(e.caption(sample))
    if len(e) > MOST_SAMPLES:
        echo(f"and {len(e) - MOST_SAMPLES} more; the files hold all of them. `pellucid overview` says what they have in common.")


def print_generated(e: Explanation) -> bool:
    """All tokens of a generated text, a line each; False where there is none, or one token of it."""
    from pellucid.render.terminal import whole

    tty = sys.stdout.isatty()
    found = whole(e, min(get_terminal_size()[0], 120), colour=tty and wants_colour(sys.stdout))
    if found and tty:
        click.echo(found)  # its colours command the terminal
    elif found:
        echo(found)
    return bool(found)


def print_model(model: Model) -> None:
    """Which model is explained, and how it reads its input; nothing of a built-in one."""
    from pellucid.model.readers.reader import describe

    if model.source != "pellucid.zoo":
        echo(f"{model.name}: {model.source}")
        what, how = describe(model.preprocess)
        echo(f"{what.capitalize()}: {how}")


def print_classes(e: Explanation) -> None:
    """The best classes with their probabilities."""
    for index, label, share in e.classes:
        named = label and label != f"class {index}"
        echo(f"{percent(share).replace(' ', ''):>8}  {f'{label} ({index})' if named else f'class {index}'}")


def draw(e: Explanation, sample: int = 0) -> str:
    """The map and the caption, at the size of the terminal."""
    from pellucid.render import terminal

    columns, rows = get_terminal_size()
    room = max(40, 2 * (rows - MARGIN_ROWS))  # a row of characters shows two rows of pixels
    room = columns if e.subject is not None else room  # a map is as wide as it is high; a text or a table need not be
    return terminal(e, min(columns, room, 80), sample, colour=wants_colour(sys.stdout))


def print_text(*texts: str) -> None:
    """Sentences of a result, which name options where the library names arguments."""
    for text in texts:
        echo(translated(text))


def print_files(files: Sequence[Path]) -> None:
    """Which files were written."""
    if files:
        echo(f"Written: {', '.join(map(click.format_filename, files))}")


def by_format(files: Sequence[Path]) -> dict[str, dict[str, str]]:
    """The written files for a program: {"files": {"png": "cat.lrp.png"}}."""
    return {"files": {file.suffix.lstrip("."): str(file) for file in files}}


def print_json(data: dict[str, Any]) -> None:
    """One line of JSON; numbers that are not finite become null."""
    from pellucid.core.files import finite

    echo(json.dumps(finite(data)))


def print_entries(entries: Iterable[Any], columns: Sequence[str]) -> None:
    """A line of JSON for each entry of a catalogue."""
    for entry in entries:
        print_json({column: getattr(entry, column) for column in columns})


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns that fit the terminal; in a file or a pipe each row is one line."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(columns))
    for number, column in enumerate(columns):
        drawn.add_column(column, overflow="fold", no_wrap=not number)  # names stay whole
    for row in rows:
        drawn.add_row(*(printable(cell, lines=True) for cell in row))
    console = Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else 1000)
    with console.capture() as text:
        console.print(drawn)
    click.echo("\n".join(line.rstrip() for line in text.get().splitlines()))
