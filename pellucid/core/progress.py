"""How far long work is: whoever does it tells, whoever started it may watch, and may call it off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[int, int, str], bool | None]
"""Gets what is done, the total, and of what ("forward passes"); returns True to call the rest off."""

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Have all long work in this block told to `watcher`.

    Example:
        >>> with watched(lambda done, total, what: print(f"{done} of {total} {what}")):
        ...     called_off = told(3, 8, "forward passes")
        3 of 8 forward passes
    """
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def told(done: int, total: int, what: str) -> bool:
    """Tell how far the work is; whether the rest is called off."""
    watcher = _WATCHER.get()
    return watcher is not None and watcher(done, total, what) is True
