"""compare."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.catalogue.methods import as_method
from pellucid.core.progress import told
from pellucid.errors import MethodError, PellucidError
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method
from pellucid.model import Model, load
from pellucid.model.where import Where
from pellucid.target import as_target
from .explain import Only, _answered, _conditioned
from .inputs import seen


def compare(
    model: Any,
    x: Any,
    methods: Sequence[str | Method] | Mapping[str, str | Method] = ("lrp", "sensitivity", "gradient_x_input"),
    target: Any = None,
    *,
    at: str | Where | None = None,
    only: Only = None,
    strict: bool = False,
) -> Comparison:
    """What several methods answer to one question. A method that fails does not keep the others from answering.

    Arguments:
        methods: Names from the catalogue or method objects; a mapping gives them names of your own.
        model, x, target, at, only, strict: As in `explain`.

    Returns:
        The explanations by name, what failed and why, and how long each took.

    Raises:
        PellucidError: a method is unknown, or not one of them could answer; then what the first of them said.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).eval()
        >>> compare(net, torch.ones(1, 2), ["lrp.zero", "gradient_x_input"], target=1).agreement()[0].correlation
        1.0
    """
    model = load(model)
    model.ready()
    chosen = _distinct(methods, strict)
    given = seen(model, x)
    done: dict[str, Explanation] = {}
    failed: dict[str, PellucidError] = {}
    seconds: dict[str, float] = {}
    for number, (name, method) in enumerate(chosen.items()):
        if told(number, len(chosen), "methods"):
            failed |= {left: _called_off(left, number, len(chosen)) for left in list(chosen)[number:]}
            break
        started = time.perf_counter()
        try:
            method, end = _conditioned(method, only, at)
            done[name] = _answered(method, given, as_target(target), end)
        except Exception as error:  # said in its place on the sheet; raised below if nobody could answer
            failed[name] = error if isinstance(error, PellucidError) else _bug(name, model, error)
        seconds[name] = time.perf_counter() - started
    if not done:
        first = next(iter(failed.values()))
        raise first.__cause__ or first
    return Comparison(tuple(chosen), done, failed, seconds)


def _distinct(methods: Sequence[str | Method] | Mapping[str, str | Method], strict: bool) -> dict[str, Method]:
    """The methods by names that differ."""
    named: dict[str, Method] = {}
    if isinstance(methods, Mapping):
        named = {name: as_method(one, strict=strict) for name, one in methods.items()}
    else:
        for one in [methods] if isinstance(methods, str) else methods:
            method = as_method(one, strict=strict)
            same = sum(other.name == method.name for other in named.values())
            named[f"{method.name} ({same + 1})" if same else method.name] = method
    if not named:
        raise MethodError("A comparison", "no method", "there is nothing to compare", 'Name some: ["lrp", "sensitivity"].')
    return named


def _called_off(name: str, begun: int, asked: int) -> PellucidError:
    found = f"the rest called off after {begun} of {asked} methods"
    return MethodError(f"method {name!r}", found, "it was not begun", "Compare again, without those that take long.")


def _bug(name: str, model: Model, error: Exception) -> PellucidError:
    """An error that no method should let out, as one that can be shown among the others' answers."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    do = "Leave it out, or explain with it alone to see where; please report it if the message is of no help."
    failure = MethodError(f"method {name!r} on {model.name}", said, "the method itself failed on this model and input", do)
    failure.__cause__ = error
    return failure
