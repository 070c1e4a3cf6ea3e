"""Progress of long work: loops report it, and a watcher may show it and cancel the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[int, int, str], bool | None]
"""Gets what is done, the total, and of what ("forward passes"); returns True to call the rest off."""

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


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
    watcher = _WATCHER.get()
    return watcher is not None and watcher(done, total, what) is True
