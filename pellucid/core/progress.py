"""Progress of long work: loops report it, and a watcher may show it and cancel the work.

Where nobody watches, long work shows a bar in notebooks by itself, see `progress`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from . import notebook

if TYPE_CHECKING:
    from .progress_bar import ProgressBars

Watcher = Callable[[int, int, str], bool | None]
"""Gets what is done, the total, and of what ("forward passes"); returns True to call the rest off."""

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
_SHOWN: dict[str, bool | None] = {"bars": None}


def progress(shown: bool | None) -> None:
    """Whether work that takes long shows a bar until it is done.

    Arguments:
        shown: True: in scripts too, on standard error. False: nowhere. None, as at first: in notebooks.

    Example:
        >>> progress(False)
        >>> progress(None)
    """
    _SHOWN["bars"] = shown


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Report the progress of all work in this block to `watcher`.

    Example:
        >>> with watched(lambda done, total, what: print(f"{done} of {total} {what}")):
        ...     called_off = report_progress(3, 8, "forward passes")
        3 of 8 forward passes
    """
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def report_progress(done: int, total: int, what: str) -> bool:
    """Report that `done` of `total` are done; True where the watcher calls the rest off."""
    watcher = _WATCHER.get() or automatic()
    return watcher is not None and watcher(done, total, what) is True


def automatic() -> ProgressBars | None:
    """The watcher where nobody set one: bars in a notebook, and in scripts that asked for them."""
    shown = _SHOWN["bars"]
    if shown is False or (shown is None and not notebook.in_notebook()):
        return None
    return _bars(in_notebook=notebook.in_notebook())


@cache
def _bars(*, in_notebook: bool) -> ProgressBars:
    from .progress_bar import ProgressBars, Surface, TerminalSurface

    return ProgressBars(Surface() if in_notebook else TerminalSurface())


class Announcement(Protocol):
    """What is said of long work before it begins."""

    def line(self, option: str = "") -> str:
        """One sentence. Settings that it names are preceded by `option`, as in a command line by "--with "."""


Announcer = Callable[[Announcement], None]
"""Gets what is said of long work before it begins."""

_ANNOUNCER: ContextVar[tuple[Announcer | None] | None] = ContextVar("announcer", default=None)


@contextmanager
def announced(announcer: Announcer | None) -> Iterator[None]:
    """In this block, pass on to `announcer` what is said of long work before it begins; None: to nobody."""
    token = _ANNOUNCER.set((announcer,))
    try:
        yield
    finally:
        _ANNOUNCER.reset(token)


def announcer() -> Announcer | None:
    """Who shows what is said of long work; None where nobody does, so that its cost need not be estimated.

    Without an announcer of the caller's own, bars show it, where there are any: see `progress`.
    """
    own = _ANNOUNCER.get()
    if own is not None:
        return own[0]
    if _WATCHER.get() is not None:
        return None
    bars = automatic()
    return None if bars is None else lambda announcement: bars.say(announcement.line())


Viewer = Callable[[Callable[[], Any]], None]
"""Gets what makes the picture so far, and calls it where it wants to show it."""

_VIEWER: ContextVar[Viewer | None] = ContextVar("viewer", default=None)


@contextmanager
def viewed(viewer: Viewer) -> Iterator[None]:
    """Show what is being drawn in this block to `viewer`.

    Example:
        >>> with viewed(lambda draw: print(draw())):
        ...     report_picture(lambda: "half a picture")
        half a picture
    """
    token = _VIEWER.set(viewer)
    try:
        yield
    finally:
        _VIEWER.reset(token)


def report_picture(draw: Callable[[], Any]) -> None:
    """Offer the picture so far to whoever watches it being drawn."""
    viewer = _VIEWER.get()
    if viewer is not None:
        viewer(draw)
