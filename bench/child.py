"""Work in a process of its own: it can take as long as it is given, die, and change what it likes."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Failure:
    """Why there is no result."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def isolated(work: Callable[[], Any], *, seconds: float) -> Any:
    """What `work` returns in a forked child, or the `Failure` that kept it from returning.

    Example:
        >>> isolated(lambda: 1 / 0, seconds=10)
        Failure(reason='ZeroDivisionError: division by zero')
    """
    here, there = FORK.Pipe(duplex=False)
    child = FORK.Process(target=_serve, args=(work, there))
    child.start()
    there.close()
    try:
        return here.recv() if here.poll(seconds) else Failure(f"over the limit of {seconds:.0f} s")
    except EOFError:
        child.join(10)
        return Failure(f"the process ended without a result (exit code {child.exitcode})")
    finally:
        child.kill()
        child.join()


def attempt(work: Callable[[], Any]) -> Any:
    """What `work` returns, or why it failed."""
    try:
        return work()
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")
        return Failure(f"{type(error).__name__}: {first[:160]}")


def _serve(work: Callable[[], Any], answer: Connection) -> None:
    warnings.simplefilter("ignore")
    answer.send(attempt(work))
    answer.close()
