"""What is printed on stdout: classes, captions, pictures in signs, tables, and lines of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.files import finite
from .errors import coloured

if TYPE_CHECKING:
    from pellucid.explanation.explanation import Explanation
    from pellucid.model import Model

MOST_SAMPLES = 5
MARGIN_ROWS = 12  # of a terminal, for what is said around a picture


def explanation(e: Explanation) -> None:
    """The best classes, the map in a terminal, and the caption."""
    classes(e)
    for sample in range(min(len(e), MOST_SAMPLES)):
        click.echo(picture(e, sample) if sys.stdout.isatty() else e.caption(sample))
    if len(e) > MOST_SAMPLES:
        click.echo(f"and {len(e) - MOST_SAMPLES} more; the files have all of them.")


def model(model: Model) -> None:
    """Which model answers, and how it reads its input; not of those that come along, which everybody can look up."""
    from pellucid.model.readers.describe import read

    if model.source != "pellucid.zoo":
        click.echo(f"{model.name}: {model.source}")
        what, how = read(model.preprocess)
        click.echo(f"{what.capitalize()}: {how}")


def classes(e: Explanation) -> None:
    """The best classes with their probabilities."""
    for index, label, share in e.classes:
        named = label and label != f"class {index}"
        click.echo(f"{share:8.1%}  {f'{label} ({index})' if named else f'class {index}'}")


def picture(e: Explanation, sample: int = 0) -> str:
    """The map and the caption, in the room the terminal has."""
    from pellucid.render import terminal

    columns, rows = get_terminal_size()
    room = max(40, 2 * (rows - MARGIN_ROWS))  # a row holds two pixels
    room = columns if e.subject is not None else room  # of a map they are as many as rows have room for
    return terminal(e, min(columns, room, 80), sample, colour=coloured(sys.stdout))


def document(told: dict[str, Any]) -> None:
    """One line of JSON; numbers that are not finite become null."""
    click.echo(json.dumps(finite(told)))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns that fit the terminal; in a file or a pipe each row is one line."""
    from rich.console import Console
    from rich.table import Table

    watched = sys.stdout.isatty()
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(columns))
    for number, column in enumerate(columns):
        drawn.add_column(column, overflow="fold", no_wrap=not number)  # names stay whole
    for row in rows:
        drawn.add_row(*row)
    console = Console(markup=False, highlight=False, emoji=False, width=None if watched else 1000)
    with console.capture() as text:
        console.print(drawn)
    click.echo("\n".join(line.rstrip() for line in text.get().splitlines()))
