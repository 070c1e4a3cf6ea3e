"""The verb `compare`: several methods on one question, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Module

from pellucid.core.progress import report_progress
from pellucid.explanation.comparison import Comparison
from pellucid.explanation.explanation import Explanation
from pellucid.explanation.method import Method
from pellucid.model import load
from pellucid.model.surroundings import for_the_network_alone
from pellucid.model.where import Where
from .addresses import address, only_with_paths, with_layers
from .attempts import attempt_all, distinct_methods, raise_first
from .beneath import with_picture
from .contrast import against
from .explain import Only, called, run_method, with_conditions
from .inputs import read_inputs
from .scores import read_target


@for_the_network_alone
def compare(
    model: Any,
    x: Any,
    methods: Sequence[str | Method] | Mapping[str, str | Method] = ("lrp", "sensitivity", "gradient_x_input"),
    target: Any = None,
    *,
    versus: Any = None,
    at: str | Where | Module | None = None,
    only: Only = None,
    strict: bool = False,
    verify: bool = True,
) -> Comparison:
    """The explanations of several methods for one question. A method that fails does not keep the others from answering.

    Arguments:
        methods: Names from the catalogue or method objects; a mapping gives them names of your own.
        model, x, target, versus, at, only, strict, verify: As in `explain`.

    Returns:
        The explanations by name, what failed and why, and how long each took.

    Raises:
        PellucidError: a method is unknown, or none of them could answer; then the error of the first.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).eval()
        >>> compare(net, torch.ones(1, 2), ["lrp.zero", "gradient_x_input"], target=1).agreement()[0].correlation
        1.0
    """
    model = load(model)
    model.ready()
    chosen = {name: with_layers(model, one) for name, one in distinct_methods(methods, strict).items()}
    batch, wanted = read_target(with_picture(read_inputs(model, x)), against(target, versus))
    conditions, place = only_with_paths(model, only), address(model, at)
    given = dict(zip(chosen, methods.values() if isinstance(methods, Mapping) else methods, strict=False))

    def work(method: Method) -> Explanation:
        conditioned, end = with_conditions(method, conditions, place)
        return run_method(conditioned, batch, wanted, end, strict=strict, verify=verify)

    def called_off(done: int) -> bool:
        return report_progress(done, len(chosen), "methods")

    done, failures, seconds = attempt_all("method", chosen, work, called_off, "Compare", model.name)
    if not done:
        raise_first(failures)
    options = {"at": at, "only": only, "strict": strict, "verify": verify}
    done = {name: called(e, model, x, target, versus, method=given[name], **options) for name, e in done.items()}
    return Comparison(tuple(chosen), done, failures, seconds)
