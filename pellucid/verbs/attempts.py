"""Attempts: several methods or metrics, run one after the other, so that the failure of one does not end the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from pellucid.catalogue.methods import as_method
from pellucid.errors import MethodError, PellucidError
from pellucid.explanation.method import Method


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)
T = TypeVar("T")


def distinct(items: Sequence[Any], border: Callable[[Any], N]) -> dict[str, N]:
    """Several of a kind by names that differ: "gradient", "gradient (2)".

    Arguments:
        items: One or several, each by name or as an object.
        border: What makes an object of each.
    """
    named: dict[str, N] = {}
    for item in map(border, [items] if isinstance(items, str) else items):
        same = sum(other.name == item.name for other in named.values())
        named[f"{item.name} ({same + 1})" if same else item.name] = item
    return named


def distinct_methods(methods: Sequence[str | Method] | Mapping[str, str | Method], strict: bool = False) -> dict[str, Method]:
    """The methods by names that differ; by those of a mapping.

    Raises:
        MethodError: there is none, or one is unknown.
    """
    border = partial(as_method, strict=strict)
    named = {n: border(m) for n, m in methods.items()} if isinstance(methods, Mapping) else distinct(methods, border)
    if not named:
        raise MethodError("A comparison", "no method", "there is nothing to compare", 'Name some: ["lrp", "sensitivity"].')
    return named


def _attempt(what: str, work: Callable[[], T]) -> T | PellucidError:
    """The result of some work, or why it failed; an error that is not of this package is its cause.

    Arguments:
        what: Who does it: "method 'lrp' on VGG".
    """
    try:
        return work()
    except PellucidError as error:
        return error
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        do = "Leave it out, or run it alone to see where; please report it if the message is of no help."
        failure = MethodError(what, message, f"the {what.split()[0]} itself failed on this input", do)
        failure.__cause__ = error
        return failure


def attempt_each(
    kind: str, items: Mapping[str, N], work: Callable[[N], T], called_off: Callable[[int], bool], on: str = ""
) -> Iterator[tuple[str, T | PellucidError, float]]:
    """The result of every method or metric, or why it failed, and how many seconds it took; until the user calls the rest off.

    Arguments:
        kind: "method" or "metric".
        called_off: Reports how many are done, and returns whether the rest is called off.
        on: The name of the model, for messages.
    """
    for number, (name, item) in enumerate(items.items()):
        if called_off(number):
            return
        began = time.perf_counter()
        result = _attempt(f"{kind} {name!r}{on and f' on {on}'}", partial(work, item))
        yield name, result, time.perf_counter() - began


def attempt_all(
    kind: str, items: Mapping[str, N], work: Callable[[N], T], called_off: Callable[[int], bool], verb: str, on: str = ""
) -> tuple[dict[str, T], dict[str, PellucidError], dict[str, float]]:
    """As `attempt_each`: the results, why others have none, and how many seconds each took that was begun; all by name.

    Arguments:
        verb: What the user may call again, for messages: "Compare".
    """
    results: dict[str, T] = {}
    failures: dict[str, PellucidError] = {}
    seconds: dict[str, float] = {}
    for name, result, seconds[name] in attempt_each(kind, items, work, called_off, on):
        if isinstance(result, PellucidError):
            failures[name] = result
        else:
            results[name] = result
    return results, failures | skipped(kind, list(items), len(seconds), verb), seconds


def skipped(kind: str, names: Sequence[str], done: int, verb: str) -> dict[str, PellucidError]:
    """Why those behind the first `done` methods or metrics have no result: the user called the rest off."""
    found, do = f"the rest called off after {done} of {len(names)} {kind}s", f"{verb} again, with fewer."
    return {name: MethodError(f"{kind} {name!r}", found, "it was not begun", do) for name in names[done:]}


def raise_first(failures: Mapping[Any, PellucidError]) -> None:
    """Raise what the first that failed said, as it was."""
    first = next(iter(failures.values()))
    raise first.__cause__ or first
