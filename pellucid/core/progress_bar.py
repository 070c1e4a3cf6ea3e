"""Bars for work that takes long: below the cell of a notebook by themselves, in a terminal where somebody asked for them."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from . import notebook

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PATIENCE_S = 1.0  # no bar before
LONG_S = 3.0  # nor for work that will take less
PAUSE_S = 0.2  # between two drawings


def bars(console: Console) -> Progress:
    """Bars with their text, how many are done, and the time that remains."""
    from rich import progress

    columns = progress.TextColumn("  {task.description}", markup=False), progress.BarColumn(), progress.MofNCompleteColumn()
    return progress.Progress(*columns, progress.TimeRemainingColumn(), console=console, auto_refresh=False)


@dataclass
class Work:
    """One kind of thing that is counted.

    Arguments:
        label: What it is, with what may be said besides: "steps, 12 per second".
        began: When it was first reported, and how many were done then.
    """

    label: str
    done: int
    total: int
    began: tuple[float, int]
    bar: TaskID | None = None

    def is_long(self, now: float) -> bool:
        """Whether it will take long, by its pace so far."""
        began, first = self.began
        elapsed = now - began
        if elapsed < PATIENCE_S or self.done <= first:
            return False
        return elapsed * (self.total - first) / (self.done - first) >= LONG_S

    def line(self, now: float) -> str:
        """What became of it, once it is over."""
        count = f"{self.done:,}" if self.done >= self.total else f"{self.done:,} of {self.total:,}"
        began, first = self.began  # what was done by the first report had no clock yet: it is taken to be as quick as the rest
        seconds = (now - began) * self.done / max(1, self.done - first)
        return f"{count} {self.label.partition(',')[0]} in {seconds:,.0f} s"


@dataclass
class ProgressBars:
    """A watcher that shows what takes long, and nothing of what does not; at its end one line is left.

    Arguments:
        surface: Where it is drawn.
        clock: Tells the seconds.
    """

    surface: Surface
    clock: Callable[[], float] = monotonic
    works: dict[str, Work] = field(default_factory=dict)
    progress: Progress | None = None
    drawn: float = 0.0
    said: str = ""

    def __call__(self, done: int, total: int, what: str) -> None:
        now, name = self.clock(), what.partition(",")[0]
        work = self.works.get(name)
        if work is None or done < work.done or total != work.total:  # it begins anew
            self.remove(name)
            work = self.works[name] = Work(what, done, total, (now, done))
        work.label, work.done = what, done
        if work.bar is None and work.is_long(now):
            work.bar = self.opened().add_task(what, total=total)
        if self.progress is not None and work.bar is not None:
            self.progress.update(work.bar, completed=done, description=what)
        if done >= total:
            self.finish(name, now)
        elif self.progress is not None and now - self.drawn >= PAUSE_S:
            self.drawn = now
            self.surface.draw(self.progress)

    def say(self, line: str) -> None:
        """Say something of long work before it begins."""
        self.surface.say(line)

    def opened(self) -> Progress:
        """The bars; drawn from here on."""
        if self.progress is None:
            self.progress = bars(self.surface.console())
            self.surface.open(self.close)
        return self.progress

    def finish(self, name: str, now: float) -> None:
        """One kind is done; with the last bar goes all that is drawn, but for a line."""
        work = self.works[name]
        self.remove(name)
        if work.bar is not None:
            self.said = work.line(now)
        if self.progress is not None and not self.works:
            self.end(self.said)

    def remove(self, name: str) -> None:
        work = self.works.pop(name, None)
        if work is not None and work.bar is not None and self.progress is not None:
            self.progress.remove_task(work.bar)

    def close(self, *_: Any) -> None:
        """The cell is over: what is still drawn was not finished."""
        shown = [work.line(self.clock()) for work in self.works.values() if work.bar is not None]
        self.works.clear()
        if self.progress is not None:
            self.end((shown or [self.said])[0])

    def end(self, line: str) -> None:
        self.progress = None
        self.surface.close(line)


class Surface:
    """Below the cell of a notebook. The bars are HTML, which needs no widgets, and is gone from the file at the end."""

    def __init__(self) -> None:
        self.name = ""
        self.at_end: Callable[..., None] | None = None

    def console(self) -> Console:
        from rich.console import Console

        return Console(force_jupyter=True, width=100)

    def open(self, at_end: Callable[..., None]) -> None:
        """Have a place on the page; `at_end` is called when the cell is over, whatever happened."""
        self.name, self.at_end = f"pellucid-{uuid4().hex}", at_end
        notebook.display({"text/plain": ""}, name=self.name)
        notebook.shell().events.register("post_run_cell", at_end)

    def draw(self, progress: Progress) -> None:
        notebook.display(progress.make_tasks_table(progress.tasks)._repr_mimebundle_([], []), name=self.name, update=True)

    def say(self, line: str) -> None:
        """A line above the bars, which stays."""
        notebook.display({"text/plain": line}, name=f"pellucid-{uuid4().hex}")

    def close(self, line: str) -> None:
        """One line is left."""
        notebook.display({"text/plain": line}, name=self.name, update=True)
        if self.at_end is not None:
            notebook.shell().events.unregister("post_run_cell", self.at_end)


class TerminalSurface(Surface):
    """Standard error, where somebody asked for bars in a script; in a file or a pipe only the line at the end is written."""

    def console(self) -> Console:
        from rich.console import Console

        self.own = Console(stderr=True)
        return self.own

    def open(self, at_end: Callable[..., None]) -> None:
        from rich.live import Live

        self.live = Live(console=self.own, transient=True, auto_refresh=False)
        self.live.start()
        atexit.register(at_end)

    def draw(self, progress: Progress) -> None:
        self.live.update(progress, refresh=True)

    def say(self, line: str) -> None:
        print(line, file=sys.stderr)

    def close(self, line: str) -> None:
        self.live.stop()
        print(line, file=sys.stderr)
