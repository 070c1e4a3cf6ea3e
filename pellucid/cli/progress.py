"""How far the work is, on stderr, where it is a terminal; and Ctrl-C, which there keeps what is done."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from pellucid.core.progress import Announcement, announced, watched
from pellucid.core.progress_bar import bars
from pellucid.errors.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.progress import TaskID

STOPPING = "stopping, results so far are kept; Ctrl-C again quits at once"


class CostLines:
    """What long work will cost, on stderr before it begins: once for each method, however many inputs there are."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, announcement: Announcement) -> None:
        line = announcement.line("--with ")
        name = line.partition(":")[0]
        if name not in self.names:
            self.names.add(name)
            click.echo(printable(line), err=True)

    def said(self) -> AbstractContextManager[None]:
        """A block in which it is."""
        return announced(self)


class ProgressBar:
    """What is being done, and a bar with the remaining time for all that is counted. In a pipe nothing is shown.

    In a terminal, the first Ctrl-C calls the rest of the work off: whoever does it returns what there is, and says so. A second
    one quits, as does the first while nothing is counted that could be called off.

    Arguments:
        total: How many pieces of work there will be.
        what: What they are, in the plural.
        console: Where to draw; without one, on stderr if it is a terminal.
    """

    def __init__(self, total: int = 1, what: str = "pictures", console: Console | None = None) -> None:
        self.screen = Screen(console) if console or sys.stderr.isatty() else None
        self.total, self.what, self.done = total, what, 0
        self.called_off, self.counts = False, False

    @contextmanager
    def __call__(self, text: str, *, completes: int = 0) -> Iterator[None]:
        """Show what is being done while it is done; at its end so many of the total are complete."""
        if self.screen is None:
            yield
            return
        self.counts = False
        with ExitStack() as stack:
            stack.enter_context(self.screen.showing(text))
            stack.enter_context(watched(self.update))
            stack.enter_context(interrupts(self.interrupt))
            if self.total > 1:
                self.screen.count(self.done, self.total, self.what)
            yield
        self.done += completes

    def update(self, done: int, total: int, what: str) -> bool:
        """Show how far the work is; whether the rest of it is called off."""
        self.counts = True
        if self.screen is not None:
            self.screen.count(done, total, what)
        return self.called_off

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first time while something is counted, call the rest off; else quit."""
        if self.called_off or not self.counts:
            raise KeyboardInterrupt
        self.called_off = True
        if self.screen is not None:
            self.screen.show(STOPPING)


class Screen:
    """What is drawn while work goes on: a spinner with a text, and a bar for each kind of thing that is counted."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.spinner import Spinner

        self.console, self.spinner = console or Console(stderr=True), Spinner("dots")
        self.bars = bars(self.console)
        self.tasks: dict[str, TaskID] = {}

    @contextmanager
    def showing(self, text: str) -> Iterator[Live]:
        """Drawn from here on, and gone at the end: whatever is printed next starts on a clean line."""
        from rich.console import Group
        from rich.live import Live

        self.bars, self.tasks = bars(self.console), {}
        self.show(text)
        with Live(Group(self.spinner, self.bars), console=self.console, transient=True) as live:
            yield live

    def show(self, text: str) -> None:
        from rich.text import Text

        self.spinner.update(text=Text(printable(text)))

    def count(self, done: int, total: int, what: str) -> None:
        """Move the bar of `what`; one that starts again starts anew. What follows a comma may change: "steps, 12 per second"."""
        label, what = printable(what), what.partition(",")[0]
        task = self.tasks.get(what)
        bar = next((bar for bar in self.bars.tasks if bar.id == task), None)
        if task is None or bar is None or done < bar.completed or total != bar.total:
            if task is not None:
                self.bars.remove_task(task)
            task = self.tasks[what] = self.bars.add_task(label, total=total)
        self.bars.update(task, completed=done, description=label)


@contextmanager
def interrupts(handle: signal._HANDLER) -> Iterator[None]:
    """Have Ctrl-C come to `handle` in this block; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
