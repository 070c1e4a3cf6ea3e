"""What a network answered to an input: computed once while something is explained, whoever compares it with something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor

_kept: ContextVar[list[tuple[Any, Any, Any]] | None] = ContextVar("answers", default=None)


@contextmanager
def answers_kept() -> Iterator[None]:
    """A block, of this thread, in which plain outputs are kept for whoever needs them again."""
    token = _kept.set([])
    try:
        yield
    finally:
        _kept.reset(token)


def keep_answer(forward: Any, x: Any, output: Any) -> None:
    """Note what a function returned for an input, if anybody keeps such notes now.

    Example:
        >>> with answers_kept():
        ...     keep_answer(len, "abc", 3)
        ...     kept_answer(len, "abc"), kept_answer(len, "a")
        (3, None)
    """
    kept = _kept.get()
    if kept is not None:
        kept.append((forward, x, output))


def kept_answer(forward: Any, x: Any) -> Any:
    """What this function returned for this very input; None where that is not known."""
    return next((output for f, given, output in _kept.get() or () if f is forward and _same(given, x)), None)


def _same(one: Any, other: Any) -> bool:
    """Whether these are one object, or views of the same part of one tensor."""
    if one is other or not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return one is other
    return one.data_ptr() == other.data_ptr() and one.shape == other.shape and one.stride() == other.stride()
