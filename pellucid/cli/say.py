"""What is printed: classes, captions and pictures on stdout; how far the work is on stderr, where somebody is watching."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from .door import coloured

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..explanation import Explanation

MARGIN_ROWS = 12  # of a terminal, for what is said around a picture


def explanation(e: Explanation) -> None:
    """The best classes, the map in a terminal, and the caption."""
    for index, label, share in e.classes:
        named = label and label != f"class {index}"
        click.echo(f"{share:8.1%}  {f'{label} ({index})' if named else f'class {index}'}")
    click.echo(picture(e) if sys.stdout.isatty() else e.caption())


def picture(e: Explanation) -> str:
    """The map and the caption, in the room the terminal has."""
    from ..render import terminal

    columns, rows = get_terminal_size()
    room = max(40, 2 * (rows - MARGIN_ROWS))  # a row holds two pixels
    return terminal(e, min(columns, room, 80), colour=coloured(sys.stdout))


def document(told: dict[str, Any]) -> None:
    """One line of JSON; numbers that are not finite become null."""
    finite = json.loads(json.dumps(told, default=str), parse_constant=lambda _: None)
    click.echo(json.dumps(finite))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns that fit the terminal; in a file or a pipe each row is one line."""
    from rich.console import Console
    from rich.table import Table

    watched = sys.stdout.isatty()
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        drawn.add_column(column, overflow="fold", no_wrap=not number)  # names stay whole
    for row in rows:
        drawn.add_row(*row)
    console = Console(markup=False, highlight=False, emoji=False, width=None if watched else 1000)
    with console.capture() as text:
        console.print(drawn)
    click.echo("\n".join(line.rstrip() for line in text.get().splitlines()))


class Watch:
    """How far the work is. Nothing is shown where nobody is watching."""

    def __init__(self, total: int = 1) -> None:
        self.progress = bar(total) if sys.stderr.isatty() else None
        self.total = total

    @contextmanager
    def __call__(self, words: str, *, steps: int = 0) -> Iterator[None]:
        """Say what is being done while it is done; it counts for `steps` of the total."""
        if self.progress is None:
            yield
            return
        (task,) = self.progress.task_ids or (self.progress.add_task("", total=self.total),)
        self.progress.update(task, description=words)
        self.progress.start()
        try:
            yield
        finally:
            self.progress.update(task, advance=steps)
            self.progress.stop()  # and is gone: whatever is printed next starts on a clean line


def bar(total: int) -> Progress:
    from rich import progress
    from rich.console import Console

    columns: list[progress.ProgressColumn] = [progress.SpinnerColumn(), progress.TextColumn("{task.description}", markup=False)]
    if total > 1:
        columns += [progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeRemainingColumn()]
    return progress.Progress(*columns, console=Console(stderr=True), transient=True)
