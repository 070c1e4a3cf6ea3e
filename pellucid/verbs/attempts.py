"""Attempts: several methods or metrics, run one after the other, so that the failure of one does not end the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from pellucid.catalogue.methods import as_method
from pellucid.errors import MethodError, PellucidError
from pellucid.explanation.method import Method
from pellucid.model import Model


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)
T = TypeVar("T")


def distinct(given: Sequence[Any], border: Callable[[Any], N]) -> dict[str, N]:
    """Several of a kind by names that differ: "gradient", "gradient (2)".

    Arguments:
        given: One or several, each by name or as an object.
        border: What makes an object of each.
    """
    named: dict[str, N] = {}
    for one in [given] if isinstance(given, str) else given:
        made = border(one)
        same = sum(other.name == made.name for other in named.values())
        named[f"{made.name} ({same + 1})" if same else made.name] = made
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


def attempt(what: str, work: Callable[[], T]) -> T | PellucidError:
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
    methods: Mapping[str, Method], work: Callable[[Method], T], model: Model, called_off: Callable[[int], bool]
) -> Iterator[tuple[str, T | PellucidError, float]]:
    """The result of every method, or why it failed, and how many seconds it took; until the user calls the rest off.

    Arguments:
        called_off: Reports how many methods are done, and returns whether the rest is called off.
    """
    for number, (name, method) in enumerate(methods.items()):
        if called_off(number):
            return
        began = time.perf_counter()
        result = attempt(f"method {name!r} on {model.name}", partial(work, method))
        yield name, result, time.perf_counter() - began


def skipped(kind: str, names: Sequence[str], done: int, total: int, verb: str) -> dict[str, PellucidError]:
    """Why some methods or metrics have no result: the user called the rest off."""
    found, do = f"the rest called off after {done} of {total} {kind}s", f"{verb} again, with fewer."
    return {name: MethodError(f"{kind} {name!r}", found, "it was not begun", do) for name in names}


def raise_first(failures: Mapping[Any, PellucidError]) -> None:
    """Raise what the first that failed said, as it was."""
    first = next(iter(failures.values()))
    raise first.__cause__ or first
